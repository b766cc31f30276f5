"""A small stand-in for the proa program: it forks each step of a spec from the process that the script has offered.

It writes what the steps print into the file $HOLDER_REPORT, or "nothing is offered". $HOLDER_ENV is the environment
that steps have in common, as JSON.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from tests.forking import Server


def main() -> int:
    report = Path(os.environ["HOLDER_REPORT"])
    number = os.environ.get("PROA_ORIGIN")
    if number is None:
        report.write_text("nothing is offered")
        return 1
    control = socket.socket(fileno=int(number))
    spec = json.loads(Path(sys.argv[sys.argv.index("--spec") + 1]).read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        env = Path(folder, "env.json")
        env.write_text(os.environ["HOLDER_ENV"])
        try:
            control.send(b"f")
            with env.open("rb") as file:
                socket.send_fds(control, [b"f"], [file.fileno()])
            server = Server(control, Path(folder))
            forks = [server.fork(step["run"]["python"]["source"], OWN="mine") for step in spec["steps"]]
            report.write_text("".join(f"{fork.end().get('status')}\n{fork.text.decode()}" for fork in forks))
        except (ConnectionError, KeyError):
            report.write_text("the offered process is gone")
    return 1


if __name__ == "__main__":
    sys.exit(main())

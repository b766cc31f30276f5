"""The fork of itself that a script offers, in the hands of a small stand-in for the proa program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from tests.forking import OwnServer
from tests.project import SDK, Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks need Linux")

#: A library: not the user's code, and slow to import.
LIBRARY = """
import os
with open(os.environ["IMPORTS"], "a") as file:
    file.write(f"{os.getpid()}\\n")
class Base: ...
def register(kind): Base.known = kind
"""

SCRIPT = """
import logging
import random
from typing import Optional

import library
import helpers
from proa import pipeline, step

log = logging.getLogger(__name__)
random.seed(7)


class Mine(library.Base): ...


@step
def look() -> None:
    import inspect, os, pickle, signal, sys, tempfile

    print(__name__, log.name, helpers.__name__, pickle.dumps(Mine))
    print([f"{kind.__module__}.{kind.__name__}" for kind in library.Base.__subclasses__()])
    main = sys.modules["__main__"]
    print(main.__spec__.name, os.path.basename(main.__file__), [os.path.basename(argument) for argument in sys.argv])
    print(os.getcwd(), tempfile.gettempdir() == os.environ["TMPDIR"])
    print([entry for entry in sys.path if os.path.isdir(entry or ".")])
    print({name: value for name, value in sorted(os.environ.items()) if name not in ("TMPDIR", "PWD", "OLDPWD")})
    print(sys.stdin.read(), sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors, sys.stdout.write_through)
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, random.random())
    print(sorted(os.listdir("/proc/self/fd")))
    print(sorted(name for name in sys.modules if name.split(".")[0] in ("proa", "helpers", "run")))


@step
def typed(mine: Optional[Mine] = None) -> None:
    print("typed", flush=True)


@pipeline
def train():
    look()
    typed()


if __name__ == "__main__":
    run = train()
    print("not reached")
"""


@pytest.fixture
def run(project: Project, tmp_path: Path) -> Callable[..., List[str]]:
    """Return a function that runs a script, and returns the lines that the stand-in reports."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "library.py").write_text(LIBRARY)
    holder = tmp_path / "holder"
    holder.write_text(f'#!/bin/sh\nPYTHONPATH={SDK} exec {sys.executable} -m tests.holder "$@"\n')
    holder.chmod(0o755)
    project.write(helpers="NUMBER = 1\n")

    def call(script: str, *arguments: str, **environment: str) -> List[str]:
        project.write(run=script)
        report = tmp_path / "report"
        paths = os.pathsep.join([str(SDK), str(library), *filter(None, [environment.pop("PATHS", "")])])
        shared = project.environment(PYTHONPATH=paths, IMPORTS=str(tmp_path / "imports"), **environment)
        own: Dict[str, str] = {"HOLDER_ENV": json.dumps(shared), "HOLDER_REPORT": str(report), "PROA_BIN": str(holder)}
        done = project.run(arguments or ["run.py"], **{**shared, **own})
        assert report.exists(), done.stderr
        assert done.returncode == 1 and "not reached" not in done.stdout, done.stderr
        return report.read_text().splitlines()

    return call


Run = Callable[..., List[str]]


def test_a_fork_of_the_script_is_as_good_as_a_new_process(run: Run, project: Project, tmp_path: Path) -> None:
    forked = run(SCRIPT, ONLY="x")
    assert forked[0] == "0" and forked[-2:] == ["0", "typed"]
    assert len((tmp_path / "imports").read_text().split()) == 1, "the library is imported once"
    server = OwnServer(
        project,
        tmp_path / "home",
        PYTHONPATH=f"{SDK}{os.pathsep}{tmp_path / 'library'}",
        IMPORTS=str(tmp_path / "imports"),
        PYTHONUNBUFFERED="1",
        ONLY="x",
    )
    fork = server.fork("run:look", OWN="mine")
    assert fork.end()["status"] == 0
    new = fork.text.decode().replace("'PYTHONUNBUFFERED': '1', ", "").splitlines()
    server.close()
    assert forked[1:-2] == new
    assert len((tmp_path / "imports").read_text().split()) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("log = ", "print('hello')\nlog = "),
        ("log = ", "library.register(1)\nlog = "),
        ("    run = train()", "    import argparse\n    run = train()"),
        ("    run = train()", "    def main(): train()\n    main()"),
        ("import helpers", "import helpers, busy"),
    ],
)
def test_a_script_that_does_something_offers_nothing(run: Run, project: Project, old: str, new: str) -> None:
    project.write(busy="import library\nlibrary.register(2)\n")
    assert run(SCRIPT.replace(old, new)) == ["nothing is offered"]


@pytest.mark.parametrize(
    "arguments",
    [["run.py", "--more"], ["-O", "run.py"], ["-m", "run"], ["-c", "import runpy; runpy.run_path('run.py')"]],
)
def test_a_script_that_is_started_in_another_way_offers_nothing(run: Run, arguments: List[str]) -> None:
    script = SCRIPT.replace('if __name__ == "__main__":', "if True:") if "-c" in arguments else SCRIPT
    assert run(script, *arguments) == ["nothing is offered"]


def test_a_pipeline_from_elsewhere(run: Run, project: Project, tmp_path: Path) -> None:
    """The script isn't part of the source then, and what it does no step should see."""
    elsewhere = tmp_path / "library" / "flows.py"
    elsewhere.write_text(SCRIPT.replace("import helpers", "helpers = library"))
    assert run("import flows\nflows.train()\n") == ["nothing is offered"]


def test_the_users_modules_are_known_through_a_link(run: Run, project: Project, tmp_path: Path) -> None:
    project.write(inner__busy="import library\nlibrary.register(2)\n")
    (tmp_path / "link").symlink_to(project.root / "inner")
    script = SCRIPT.replace("import helpers", "import helpers, busy")
    assert run(script, PATHS=str(tmp_path / "link")) == ["nothing is offered"]


def test_threads_are_not_forked(run: Run, tmp_path: Path) -> None:
    library = tmp_path / "library" / "library.py"
    library.write_text(
        LIBRARY + "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
    )
    assert run(SCRIPT) == ["nothing is offered"]


def test_what_a_library_keeps_of_the_script_ends_the_fork(run: Run, tmp_path: Path) -> None:
    library = tmp_path / "library" / "library.py"
    library.write_text(
        LIBRARY.replace("class Base: ...", "class Base:\n    def __init_subclass__(cls): Base.known = cls")
    )
    assert run(SCRIPT) == ["the offered process is gone"]

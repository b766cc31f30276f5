"""Asking a fork server for forks, as a launcher asks for them."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict

from tests.project import LIMIT, Project, make_request


class Fork:
    """One fork that was asked for."""

    def __init__(self, near: socket.socket, output: int, work: Path) -> None:
        self.connection = near
        self.work = work
        self._lines = near.makefile("rb")
        self._output = output
        self.text = b""

    def line(self) -> Dict[str, Any]:
        line = self._lines.readline()
        return json.loads(line) if line else {}

    def read(self, until: Callable[[bytes], bool]) -> bytes:
        """Read output until it is as wanted, or its end."""
        deadline = time.monotonic() + LIMIT
        while not until(self.text) and select.select([self._output], [], [], max(0, deadline - time.monotonic()))[0]:
            data = os.read(self._output, 1 << 16)
            if not data:
                break
            self.text += data
        return self.text

    def end(self) -> Dict[str, Any]:
        """Wait for the end and return what the keeper says of it."""
        first = self.line()
        if "refused" in first:
            return first
        assert first["pid"] > 0
        last = self.line()
        self.read(lambda _: False)
        return {**first, **last}


class Server:
    """A fork server, on the other end of a socket."""

    def __init__(self, control: socket.socket, home: Path) -> None:
        self.control = control
        self._home = home
        self._count = 0

    def fork(self, source: str, **own: str) -> Fork:
        self._count += 1
        work = self._home / f"fork-{self._count}"
        make_request(work, source, {}, {}, ())
        own = {"TMPDIR": str(work / "temp"), "PROA_REQUEST": str(work / "request.json"), **own}
        order = work / "order.json"
        order.write_text(json.dumps({"source": source, "own": own}))
        near, far = socket.socketpair()
        read, write = os.pipe()
        with order.open("rb") as file:
            socket.send_fds(self.control, [b"f"], [far.fileno(), write, file.fileno()])
        far.close()
        os.close(write)
        return Fork(near, read, work)


class OwnServer(Server):
    """A fork server that is a new process, for a project."""

    def __init__(self, project: Project, home: Path, **environment: str) -> None:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(near, home)
        (home / "tmp").mkdir(parents=True)
        self.process = subprocess.Popen(
            [project.python, "-m", "proa.runner"],
            cwd=project.root,
            env=project.environment(PROA_FORKS=str(far.fileno()), TMPDIR=str(home / "tmp"), **environment),
            pass_fds=[far.fileno()],
        )
        far.close()

    def close(self) -> None:
        self.control.close()
        assert self.process.wait(LIMIT) == 0

"""The fork server: a process that has imported a module of steps, and forks for each attempt of one of them.

It is what ``python -m proa.runner`` becomes when PROA_FORKS holds the number of an inherited socket. Each message on
that socket comes with three descriptors: a connection to the launcher, the pipe for the step's output, and a file that
says what to fork. The server forks a keeper (see keeper.py), which forks the step.

A fork has to be as good as a new process. Where it can't be, the server refuses, and the launcher starts a new one.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from proa.forking import fork, has_threads, read_document
from proa.runner import chance
from proa.runner.folders import Folders
from proa.runner.keeper import Linux, die_with, keep
from proa.runner.leaving import leave, open_files
from proa.runner.modules import Modules
from proa.runner.streams import buffer_lines

_MOST_OUTPUT = 1 << 20


def serve(number: str, run: Callable[[Modules], int]) -> int:
    """Fork for each message, and return in a step's process, and only there, with the exit code of what it ran."""
    control = socket.socket(fileno=int(number))
    control.set_inheritable(False)
    server = _Server()
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 64, 3)
        if len(descriptors) != 3:
            os._exit(0)
        connection, output, file = socket.socket(fileno=descriptors[0]), descriptors[1], descriptors[2]
        _reap()
        order = read_document(file)
        reason = server.refusal(order)
        server.tidy()
        if reason:
            _tell(connection, {"refused": reason})
        elif server.fork(control, connection, output):
            modules = server.become(order)
            return leave(run(modules), modules.root, server.files)
        connection.close()
        os.close(output)


class _Server:
    def __init__(self) -> None:
        self._linux = Linux()
        self._home = {name: os.environ.get(name) for name in ("TMPDIR", "HOME")}
        self._chance = chance.State()
        self._captured = b""
        self._modules = Modules(Path.cwd())
        self._unfit: Optional[str] = None
        self._folders = Folders([])
        # For each step that runs, a pipe that is closed before its end is told.
        self._running: List[int] = []
        self.files: List[Any] = []

    def refusal(self, order: Dict[str, Any]) -> str:
        """Return why a step can't be forked; empty if it can. The first time, the module is imported."""
        if self._unfit is None:
            self._unfit = self._import(order["source"])
            self._folders = Folders(path or "" for name, path in self._home.items() if name in order["own"])
            self._folders.imported()
            self._chance.imported()
            gc.collect()
            self.files = open_files()
            gc.freeze()
        if not self._unfit and not self._modules.has(order["source"]):
            # The import ended early, at a pipeline's call, before the step's definition.
            return "the module, as it was imported for another step, doesn't have this one"
        return self._unfit

    def _import(self, source: str) -> str:
        capture = os.memfd_create("output")
        for number in (1, 2):
            os.dup2(capture, number)
        buffer_lines()
        try:
            self._modules.get(source)
        except BaseException as error:
            return f"importing it failed: {error}"
        sys.stdout.flush()
        sys.stderr.flush()
        self._captured = os.pread(capture, _MOST_OUTPUT + 1, 0)
        os.close(capture)
        if len(self._captured) > _MOST_OUTPUT:
            return "importing it prints very much"
        return _unfit()

    def tidy(self) -> None:
        """Remove what steps have left in the folders of this process, unless one runs."""
        for ended in select.select(self._running, [], [], 0)[0]:
            os.close(ended)
            self._running.remove(ended)
        if not self._running:
            self._folders.restore()

    def fork(self, control: socket.socket, connection: socket.socket, output: int) -> bool:
        """Fork a keeper and a step; return True in the step's process."""
        running, held = os.pipe()
        if os.fork():
            os.close(held)
            self._running.append(running)
            return False
        try:
            control.close()
            for number in (running, *self._running):
                os.close(number)
            os.setpgid(0, 0)
            self._linux.adopt_orphans()
            wait, go = os.pipe()
            keeper, child = os.getpid(), os.fork()
            if child:
                os.close(output)
                keep(child, connection, go, held)
        except BaseException:
            os._exit(1)
        os.setpgid(0, 0)
        die_with(self._linux, keeper)
        os.close(go)
        os.close(held)
        os.read(wait, 1)
        os.close(wait)
        connection.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        return True

    def become(self, order: Dict[str, Any]) -> Modules:
        """Make this process look like one that was started for its step alone."""
        for name, value in order["own"].items():
            # What the import itself has set stays.
            if os.environ.get(name) == self._home.get(name):
                os.environ[name] = value
        tempfile: Any = sys.modules.get("tempfile")
        if tempfile is not None and tempfile.tempdir == self._home["TMPDIR"]:
            tempfile.tempdir = None
        self._chance.renew()
        rest = self._captured
        while rest:
            rest = rest[os.write(1, rest) :]
        return self._modules


def _tell(connection: socket.socket, message: Dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        pass


def _unfit() -> str:
    """Return what the import left that a fork would not have, or share; empty if there is nothing."""
    if _children():
        return "importing it starts processes"
    temp = Path(os.environ.get("TMPDIR") or "/nonexistent")
    if temp.is_dir() and any(temp.iterdir()):
        return "importing it makes temporary files"
    child = fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    if has_threads():
        return "importing it starts threads"
    return ""


def _children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    """Take the status of keepers that have ended."""
    ended: Tuple[int, int] = (1, 0)
    while ended[0]:
        try:
            ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return

"""The keeper: the parent of a forked step's process.

It does for it what a launcher does for a process that it has started itself: signals go to the step's whole process
group, descendants that lost their parent are adopted, and whoever is left when the step ends is killed; exit status and
usage are reported as they were. The launcher writes one byte for each signal, and reads two lines of JSON. When the
launcher is gone, the step is killed; when the keeper is gone, the kernel kills the step.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import Any, Dict, NoReturn

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
# How long what was killed may take to be gone.
_PATIENCE = 2.0


class Linux:
    """What Python's library doesn't offer of Linux."""

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def adopt_orphans(self) -> None:
        """Become the parent of descendants that lose theirs."""
        self._set(_SET_CHILD_SUBREAPER, 1)

    def die_with_parent(self) -> None:
        """Have this process killed when its parent is gone."""
        self._set(_SET_PDEATHSIG, signal.SIGKILL)

    def _set(self, option: int, value: int) -> None:
        if self._prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with(linux: Linux, parent: int) -> None:
    """Have this process killed with its parent, which may be gone already."""
    linux.die_with_parent()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def keep(child: int, connection: socket.socket, go: int, held: int) -> NoReturn:
    """Look after a child to its end, and end. It begins when go is closed, after the launcher was told of it.

    When nothing of the child is left, held is closed, and only then the launcher told.
    """
    gc.disable()
    keeper = _Keeper(child, connection, go, held)
    try:
        keeper.run()
    except BaseException:
        keeper.kill()
    finally:
        os._exit(0)


class _Keeper:
    def __init__(self, child: int, connection: socket.socket, go: int, held: int) -> None:
        self._begin = time.monotonic()
        self._child = child
        self._connection = connection
        self._go = go
        self._held = held
        self._cpu = 0.0
        self._rss = 0
        self._wake = _wake_on_children()
        try:
            os.setpgid(child, child)
        except OSError:
            pass  # it has done so itself

    def run(self) -> None:
        self._tell({"pid": self._child})
        os.close(self._go)
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._ended():
            for number, _ in poll.poll():
                if number == self._wake:
                    os.read(self._wake, 1024)
                elif not self._obey():
                    poll.unregister(self._connection)
        wall = time.monotonic() - self._begin
        # The child is a zombie still, so that its group's number can't be another's.
        self.kill()
        status = self._wait(self._child)
        self._end_orphans()
        os.close(self._held)
        self._tell({"status": status, "wall": wall, "cpu": self._cpu, "rss": self._rss * 1024})

    def kill(self) -> None:
        """Kill the child's group, as long as the child was not waited for."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._child, number)
        except OSError:
            pass

    def _obey(self) -> bool:
        """Pass signals on; return False if the launcher is gone."""
        try:
            numbers = self._connection.recv(64)
        except OSError:
            numbers = b""
        for number in numbers:
            self._signal(number)
        if not numbers:
            self.kill()
        return bool(numbers)

    def _ended(self) -> bool:
        """Wait for adopted processes that have ended; return True when it is the child that has."""
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return False
            if found.si_pid == self._child:
                return True
            self._wait(found.si_pid)

    def _wait(self, pid: int, options: int = 0) -> int:
        found, status, usage = os.wait4(pid, options)
        if found:
            self._cpu += usage.ru_utime + usage.ru_stime
            self._rss = max(self._rss, usage.ru_maxrss)
            return status
        return -1

    def _end_orphans(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        try:
            while time.monotonic() < deadline:
                if self._wait(-1, os.WNOHANG) == -1:
                    _kill_children()
                    if poll.poll(100):
                        os.read(self._wake, 1024)
        except ChildProcessError:
            pass

    def _tell(self, message: Dict[str, Any]) -> None:
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass


def _wake_on_children() -> int:
    """Return a descriptor that can be read when a child may have ended."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _kill_children() -> None:
    me = os.getpid()
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and _parent(path) == me:
            try:
                os.kill(int(path.name), signal.SIGKILL)
            except OSError:
                pass


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0

"""A fork of the script itself, for its steps to be forked from.

On a local stack the steps of a run are forks of a process that has imported their module (see runner/forks.py). A
script that calls its pipeline has imported all the libraries of that module already, which can take seconds. So it
forks itself, and the fork forgets the user's code and goes on as ``python -m proa.runner``, which imports that code
anew, from the root of the source and under its own name, as always.

That is as good as a new process only where the script has done nothing but import and define. In doubt nothing is
offered, and the local orchestrator starts a new process.
"""

from __future__ import annotations

import ast
import gc
import io
import os
import signal
import socket
import sys
import threading
import typing
import weakref
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Dict, Iterator, List, NoReturn, Optional

from proa.errors import PipelineError
from proa.forking import fork, has_threads, read_document
from proa.plain import is_plain, is_plain_until
from proa.source import find_source, main_file

#: Reading more source than this would take about as long as a fork can save.
_MOST_SOURCE = 256 * 1024


class Offer:
    """A forked process, and the end of the socket through which it is told to become one to fork from."""

    def __init__(self, child: int, end: socket.socket) -> None:
        self._child = child
        self._end = end
        #: The number of the socket, for a program that inherits it.
        self.number = end.fileno()

    def hand_over(self) -> None:
        """Leave the socket to the program that has inherited it: when that has ended, so does the fork."""
        self._end.close()

    def close(self) -> None:
        """End the process. What was forked from it goes on."""
        self._end.close()
        try:
            if os.waitpid(self._child, os.WNOHANG) == (0, 0):
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
        except (ChildProcessError, ProcessLookupError):
            pass


@contextmanager
def offered(pipeline: Any, caller: FrameType) -> Iterator[Optional[Offer]]:
    """Fork this process if a fork is as good as a new one. caller is what calls the pipeline."""
    root = _root(pipeline)
    offer = _fork(pipeline, root) if root is not None and _is_fit(caller, root) else None
    try:
        yield offer
    finally:
        if offer is not None:
            offer.close()


def _root(pipeline: Any) -> Optional[Path]:
    """Return the root of the pipeline's source, if the script is in it."""
    try:
        source = find_source(pipeline.function)
    except PipelineError:
        return None
    return source.root if source.main == main_file() else None


def _is_fit(caller: FrameType, root: Path) -> bool:
    """Say whether this process has imported and defined, and no more."""
    main = sys.modules.get("__main__")
    return (
        sys.platform == "linux"
        and main is not None
        and caller.f_back is None
        and caller.f_globals is vars(main)
        and threading.current_thread() is threading.main_thread()
        and sys.gettrace() is None
        and sys.getprofile() is None
        and Path("/proc/self/cmdline").read_bytes().count(b"\0") == 2  # no options, no arguments
        and _are_plain(main, caller.f_lineno, root)
    )


def _are_plain(main: ModuleType, line: int, root: Path) -> bool:
    left = _MOST_SOURCE
    for module in _users(root).values():
        file = getattr(module, "__file__", None)
        if module is not main and file is None:
            continue  # a folder
        try:
            source = Path(str(file)).read_bytes()
            left -= len(source)
            tree = ast.parse(source) if left > 0 else None
        except (OSError, SyntaxError, ValueError):
            return False
        if tree is None or not (is_plain_until(tree, line) if module is main else is_plain(tree)):
            return False
    return True


def _users(root: Path) -> Dict[str, ModuleType]:
    """Return the modules that are the user's own, the script among them."""
    entries = [entry for entry in sys.path if f"{os.path.realpath(entry)}{os.sep}".startswith(f"{root}{os.sep}")]
    # Paths as text: there may be thousands of modules. One that leads through a link is known by its entry in sys.path.
    folders = tuple(f"{entry}{os.sep}" for entry in (str(root), *entries))
    found: Dict[str, ModuleType] = {}
    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        inside = any(
            isinstance(place, str) and place.startswith(folders) and "-packages" not in place for place in places
        )
        if name == "__main__" or (inside and not _is_proas(name)):
            found[name] = module
    return found


def _is_proas(name: str) -> bool:
    return name.partition(".")[0] == "proa"


def _fork(pipeline: Any, root: Path) -> Optional[Offer]:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except (AttributeError, OSError, ValueError):
        return None
    child = fork()
    if not child:
        near.close()
        _become(far, pipeline, root)
    far.close()
    offer = Offer(child, near)
    if has_threads():
        offer.close()
        return None
    return offer


def _become(control: socket.socket, pipeline: Any, root: Path) -> NoReturn:
    """Be a process that was started as ``python -m proa.runner`` and has imported some libraries."""
    try:
        os.setpgid(0, 0)
        _renew_streams()
        # Nothing is forgotten before somebody has use for it: that touches, and so copies, most of the memory.
        if not control.recv(1) or not _forget(pipeline, root):
            os._exit(0)
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            os._exit(0)
        _renew_environment(read_document(descriptors[0]), root)
        os.environ["PROA_FORKS"] = str(control.detach())
        sys.argv[:] = [""]
        import runpy

        runpy.run_module("proa.runner", run_name="__main__", alter_sys=True)
    except Exception:
        os._exit(1)
    os._exit(0)


def _renew_streams() -> None:
    """Leave the terminal, and have output written at once."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    for name, number in (("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        raw = io.FileIO(number, "w", closefd=False)
        new = io.TextIOWrapper(raw, encoding=old.encoding, errors=old.errors, write_through=True)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _forget(pipeline: Any, root: Path) -> bool:
    """Forget the user's code and proa, and say whether nothing of the user's is left."""
    classes: List[Any] = []
    for name, module in _users(root).items():
        names = vars(module)
        classes += [weakref.ref(kind) for kind in names.values() if isinstance(kind, type) and kind.__module__ == name]
        del sys.modules[name]
        names.clear()
    for name in list(filter(_is_proas, sys.modules)):
        del sys.modules[name]
    vars(pipeline).clear()
    for clear in getattr(typing, "_cleanups", ()):
        clear()
    gc.collect()
    return all(kind() is None for kind in classes)


def _renew_environment(env: Dict[str, str], root: Path) -> None:
    """Take on an environment, as far as it counts for a process that runs already."""
    own = _python_path()
    os.chdir(root)
    os.environ.clear()
    os.environ.update(env)
    paths = _python_path()
    # The first is the script's folder.
    sys.path[:] = [str(root), *paths, *(path for path in sys.path[1:] if path not in own and path not in paths)]
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None


def _python_path() -> List[str]:
    """Return the folders of PYTHONPATH as Python puts them into sys.path: an empty one is the current folder."""
    given = os.environ.get("PYTHONPATH")
    return [str(Path(path).absolute()) for path in given.split(os.pathsep)] if given else []

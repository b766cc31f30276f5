"""Ending a forked process without taking the whole interpreter apart.

That takes longer than many a step when large libraries are loaded, and touches the memory that is shared with the
server. What can be seen of it happens all the same: threads are waited for, exit handlers run (also those of libraries
in C), what the user's modules hold is released, and open files are written out.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import sys
import threading
from pathlib import Path
from typing import Any, Iterable, List

_WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def open_files() -> List[Any]:
    """Return the files that are open for writing."""
    return [found for found in gc.get_objects() if issubclass(type(found), _WRITERS) and not found.closed]


def leave(code: int, root: Path, files: Iterable[Any]) -> int:
    """End the process with an exit code; return it if that has to be done as usual. files were open before the fork."""
    wait = getattr(threading, "_shutdown", None)
    handle = getattr(atexit, "_run_exitfuncs", None)
    if wait is None or handle is None:
        return code
    wait()
    handle()
    _release(root)
    for file in (*files, *open_files(), sys.stdout, sys.stderr):
        try:
            file.flush()
        except (AttributeError, OSError, ValueError):
            continue
    # exit, not _exit, for what libraries in C have to do; and without giving up the interpreter's lock, so that no
    # thread of Python's runs meanwhile.
    ctypes.PyDLL(None).exit(code)
    return code


def _release(root: Path) -> None:
    """Release what the user's modules hold, as the interpreter would; but not a copy of this package in the root."""
    for module_name, module in list(sys.modules.items()):
        names = getattr(module, "__dict__", {})
        if module_name.split(".")[0] == "proa" or not _is_users(names.get("__file__"), f"{root}{os.sep}"):
            continue
        for name in list(names):
            if name != "__builtins__":
                names[name] = None
    gc.collect()


def _is_users(file: Any, folder: str) -> bool:
    # Paths as text: there may be thousands of modules.
    return isinstance(file, str) and file.startswith(folder) and "-packages" not in file

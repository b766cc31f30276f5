"""What a process has to know that forks itself."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any, Dict


def fork() -> int:
    """Fork without a warning of threads: libraries that know of forks, as OpenBLAS does, end theirs before one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def has_threads() -> bool:
    """Say whether this process has threads besides this one, Python's or others."""
    return len(list(Path("/proc/self/task").iterdir())) > 1


def read_document(file: int) -> Dict[str, Any]:
    """Read and close a file that came with a message."""
    with open(file, "rb") as stream:
        document: Dict[str, Any] = json.loads(stream.read())
    return document

"""Describing what went wrong, with the user's part of the traceback only."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, Dict, Optional

import proa
from proa.errors import ProaError

_OURS = str(Path(proa.__file__).resolve().parent)


def describe(error: BaseException) -> Dict[str, Any]:
    """Return the failure that an exception amounts to."""
    if isinstance(error, SystemExit):
        return _exit(error)
    failure = {
        "kind": "oom" if isinstance(error, MemoryError) else "user",
        "type": type(error).__qualname__,
        "message": _message(error),
    }
    text = user_traceback(error)
    if text:
        failure["traceback"] = text
    return failure


def exit_code(error: BaseException) -> int:
    """Return the exit code that an exception ends the process with."""
    if not isinstance(error, SystemExit):
        return 1
    if error.code in (None, 0):
        return 0
    return (error.code & 0xFF) or 1 if isinstance(error.code, int) else 1


def _exit(error: SystemExit) -> Dict[str, Any]:
    code = exit_code(error)
    text = f": {error.code}" if error.code is not None and not isinstance(error.code, int) else ""
    return {"kind": "user", "type": "SystemExit", "message": f"the step called sys.exit with code {code}{text}"}


def _message(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    message = lines[0] if lines else type(error).__qualname__
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] != "proa":
        message += (
            '; if it is a library, add it to the requirements: settings={"docker": DockerSettings(requirements=[...])}'
        )
    return message


def user_traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without proa's own frames; empty if there is nothing else."""
    report = traceback.TracebackException.from_exception(error)
    if not _strip(report) and isinstance(error, ProaError):
        return ""
    return "".join(report.format())


def _strip(report: Optional[traceback.TracebackException]) -> int:
    """Remove proa's frames from a report and all that it was caused by; return how many frames are left."""
    if report is None:
        return 0
    kept = [frame for frame in report.stack if not _is_ours(frame.filename)]
    report.stack[:] = kept
    return len(kept) + _strip(report.__cause__) + _strip(report.__context__)


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen importlib", "<frozen runpy"))

"""The course of one attempt, from request to result."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Dict, Optional

from proa.context import StepContext, set_step_context
from proa.runner.execute import execute
from proa.runner.failure import describe, exit_code
from proa.runner.modules import Modules
from proa.runner.request import Request, read_request, write_result
from proa.runner.streams import buffer_lines
from proa.secrets import set_secrets


class _Terminated(SystemExit):
    """SIGTERM arrived: the step's ``finally`` blocks run, then the process ends by the signal."""


def main() -> int:
    """Run one step, or serve forks that do; return the exit code."""
    forks = os.environ.pop("PROA_FORKS", "")
    if forks:
        from proa.runner.forks import serve

        return serve(forks, run)
    return run(None)


def run(modules: Optional[Modules]) -> int:
    """Run the step that the environment names, with modules that were imported before if there are any."""
    path = os.environ.pop("PROA_REQUEST", "")
    if not path:
        print("proa.runner: PROA_REQUEST is not set; the launcher proa-step starts this program", file=sys.stderr)
        return 2
    request = read_request(path)
    _prepare(request)
    try:
        return _attempt(request, modules or Modules(Path.cwd()))
    except _Terminated:
        return _die(signal.SIGTERM)


def _prepare(request: Request) -> None:
    buffer_lines()
    signal.signal(signal.SIGTERM, _terminate)
    _use_temp(request.temp)
    set_secrets(request.secrets)
    set_step_context(
        StepContext(request.pipeline, request.step, request.attempt, request.run, request.run_name, request.temp)
    )


def _use_temp(folder: Path) -> None:
    """Let libraries write where the step may: the rest of the file system can be read-only."""
    os.environ.setdefault("TMPDIR", str(folder))
    home = os.environ.get("HOME", "")
    if not home or not os.access(home, os.W_OK):
        os.environ["HOME"] = str(folder)


def _attempt(request: Request, modules: Modules) -> int:
    outputs: Dict[str, Dict[str, str]] = {}
    failure: Optional[Dict[str, Any]] = None
    times: Dict[str, float] = {}
    code = 0
    try:
        outputs = execute(request, modules, times)
    except _Terminated:
        raise
    except BaseException as error:
        failure = describe(error)
        code = exit_code(error)
        print(failure.get("traceback") or f"{failure['type']}: {failure['message']}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    write_result(request.result, outputs, failure, times)
    return code


def _terminate(_number: int, _frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated(128 + signal.SIGTERM)


def _die(number: signal.Signals) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number

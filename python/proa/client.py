"""Handing work to the proa program, which does all that needs more than this package: plan, build, run, record."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

from proa.errors import ProaError, RunFailed
from proa.origin import Offer
from proa.runs import Run, artifact_folder


def run(spec: Dict[str, Any], offer: Optional[Offer] = None) -> Optional[Run]:
    """Run a specification on the active stack and return the run; None if it was scheduled.

    offer is a process that steps can be forked from.

    Raise :class:`RunFailed` if it did not succeed.
    """
    only = os.environ.get("PROA_SPEC_ONLY")
    if only:
        _write(Path(only), spec)
        raise SystemExit(0)
    program = find_program()
    with tempfile.TemporaryDirectory(prefix="proa-") as folder:
        spec_file, result_file = Path(folder, "spec.json"), Path(folder, "result.json")
        _write(spec_file, spec)
        code = _wait([str(program), "run", "--spec", str(spec_file), "--result", str(result_file)], offer)
        finished = _result(result_file)
    if code != 0:
        raise RunFailed(code, finished)
    if finished is None and (spec.get("schedule") or os.environ.get("PROA_SCHEDULE")):
        return None
    if finished is None:
        raise ProaError(f"{program} succeeded but wrote no result; it may be of another version than this package")
    return finished


def show_run(name: str) -> Dict[str, Any]:
    """Return the record of a run by name or id."""
    document: Dict[str, Any] = json.loads(_output(["runs", "show", name, "-o", "json"]))
    return document


def fetch_artifact(digest: str) -> Path:
    """Return a folder with an artifact's files. It lives as long as this process."""
    folder = artifact_folder(_cache(), digest)
    if not folder.exists():
        partial = Path(tempfile.mkdtemp(dir=_cache()))
        _output(["artifact", "get", digest, "--to", str(partial)])
        partial.rename(folder)
    return folder


def read_secret(name: str) -> Dict[str, str]:
    """Return a secret's values from the secrets manager of the active stack."""
    values: Dict[str, str] = json.loads(_output(["secret", "get", name, "--show", "-o", "json"]))["values"]
    return values


def find_program() -> Path:
    """Return the proa program.

    In order: the environment variable PROA_BIN; ``bin/proa`` of a checkout that this package is in; what was installed
    together with this package; PATH.
    """
    given = os.environ.get("PROA_BIN")
    if given:
        if not os.access(given, os.X_OK):
            raise ProaError(f"PROA_BIN is {given}, which is no program; unset it, or set it to the proa program")
        return Path(given)
    for folder in _folders():
        candidate = folder / ("proa.exe" if os.name == "nt" else "proa")
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    found = _on_path()
    if found is None:
        raise ProaError(
            "the proa program was not found; install it with `pip install proa`, build it with `make build` in a "
            "checkout, or set PROA_BIN to it"
        )
    return found


def _folders() -> List[Path]:
    import sysconfig

    package = Path(__file__).resolve().parent
    checkout = package.parent.parent / "bin"
    folders = [checkout] if (package.parent / "pyproject.toml").is_file() else []
    folders += [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    if package.parent.name == "site-packages":
        folders.append(Path(sysconfig.get_path("scripts", _user_scheme())))
    folders.append(package.parent / "bin")
    return folders


def _user_scheme() -> str:
    return "nt_user" if os.name == "nt" else "posix_user"


def _on_path() -> Optional[Path]:
    found = shutil.which("proa")
    return Path(found) if found else None


def _environment() -> Dict[str, str]:
    """Return the program's environment. PROA_SDK tells it where the folder with this package is."""
    return {**os.environ, "PROA_SDK": str(Path(__file__).resolve().parent.parent)}


def _output(arguments: List[str]) -> bytes:
    done = subprocess.run([str(find_program()), *arguments], env=_environment(), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise ProaError(f"`proa {' '.join(arguments)}` failed with exit code {done.returncode}; see its message above")
    return done.stdout


def _wait(command: List[str], offer: Optional[Offer]) -> int:
    """Run a program in this terminal and return its exit code; 128 and the signal's number if one ended it."""
    env, inherited = _environment(), [offer.number] if offer else []
    if offer:
        env["PROA_ORIGIN"] = str(offer.number)
    sys.stdout.flush()
    sys.stderr.flush()
    with _signals_passed_on() as pass_to:
        process = subprocess.Popen(command, env=env, pass_fds=inherited)
        pass_to(process)
        if offer:
            offer.hand_over()
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_passed_on() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Leave Ctrl-C to the program, which gets it from the terminal and cancels the run, and pass on SIGTERM.

    Yield a function that is told the program. A signal that came before is passed on then.
    """
    early: List[int] = []
    programs: List[subprocess.Popen[bytes]] = []

    def ignore(*_: Any) -> None:
        pass

    def forward(number: int, _: Any) -> None:
        for program in programs:
            program.send_signal(number)
        if not programs:
            early.append(number)

    def pass_to(program: subprocess.Popen[bytes]) -> None:
        programs.append(program)
        for number in early:
            program.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield pass_to
        return

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, ignore),
        signal.SIGTERM: signal.signal(signal.SIGTERM, forward),
    }
    try:
        yield pass_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _result(path: Path) -> Optional[Run]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    record = document.get("run")
    return Run(record) if record else None


def _write(path: Path, document: Any) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_bytes(text.encode("utf-8", "surrogatepass") + b"\n")


@cache
def _cache() -> Path:
    folder = tempfile.mkdtemp(prefix="proa-artifacts-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)

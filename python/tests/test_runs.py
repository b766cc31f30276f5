"""A pipeline call hands its spec to the program and gives back the run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Dict

import pytest

from tests.project import HERE, Project

PIPELINE = """
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Tuple
from proa import *

@dataclass
class Report:
    total: int

@step
def numbers(count: int) -> Tuple[Annotated[int, "low"], Annotated[int, "high"]]:
    return count, 2 * count

@step
def report(low: int, high: int) -> Report:
    if low < 0:
        raise ValueError("count is negative")
    print("reporting")
    return Report(low + high)

@step
def write(report: Report) -> Path:
    path = step_context().temp / "report.txt"
    path.write_text(str(report.total))
    return path

@pipeline
def p(count: int = 1):
    low, high = numbers(count)
    write(report(low, high))
"""


def program(folder: Path, text: str = "") -> Dict[str, str]:
    """Make a program of a script, the stand-in if none is given, and return the environment that names it."""
    path = folder / "proa-program"
    text = text or f'exec {sys.executable} {HERE / "program.py"} "$@"'
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PROA_BIN": str(path), "PROGRAM_HOME": str(folder / "home")}


def test_results_are_read_from_the_run(project: Project, tmp_path: Path) -> None:
    project.write(
        run=PIPELINE
        + """
if __name__ == "__main__":
    run = p(count=3)
    print(run, run.status, run.pipeline, run.stack, list(run.steps))
    outputs = run.steps["numbers"].outputs
    print(outputs["high"].load() + 1, outputs["low"].type, outputs["low"].preview, outputs["low"].size)
    found = run.steps["report"].output.load()
    print(found == Report(9), found is run.steps["report"].output.load(), run.steps["report"].output)
    print(run.steps["write"].output.load().read_text())
    print(get_run("first").steps["report"].output.load() == Report(9))
"""
    )
    done = project.run(["run.py"], **program(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "reporting",
        "<run first: succeeded> succeeded p default ['numbers', 'report', 'write']",
        "7 builtins.int 3 1",
        "True True <output output: Report(total=9)>",
        "9",
        "True",
    ]


def test_a_failed_run_ends_the_script_with_the_programs_exit_code(project: Project, tmp_path: Path) -> None:
    project.write(run=PIPELINE + "\np(count=-1)\nprint('never reached')\n")
    done = project.run(["run.py"], **program(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("Traceback") == 1 and "ValueError: count is negative" in done.stderr
    assert "RunFailed" not in done.stderr


def test_a_failed_run_can_be_caught(project: Project, tmp_path: Path) -> None:
    project.write(
        run=PIPELINE
        + """
try:
    p(count=-1)
except RunFailed as failed:
    step = failed.run.steps["report"]
    print(failed, failed.code, step.status, step.failure.kind, step.failure.message)
    try:
        step.output
    except ProaError as error:
        print(error)
    try:
        failed.run.steps["reprot"]
    except KeyError as error:
        print(error.args[0])
"""
    )
    done = project.run(["run.py"], **program(tmp_path))
    assert done.stdout.splitlines() == [
        "run first failed (exit code 1) 1 failed user count is negative",
        "step 'report' (failed) has 0 outputs (none), not one",
        "step of run 'first' 'reprot': there is none; did you mean 'report'? known: numbers, report",
    ]


@pytest.mark.parametrize(("text", "code"), [("exit 4", 4), ("kill -9 $$", 137), ("exit 0", 1)])
def test_a_program_that_writes_no_result(lab: Project, tmp_path: Path, text: str, code: int) -> None:
    lab.write(run=PIPELINE + "\np()\n")
    done = lab.run(["run.py"], **program(tmp_path, text))
    assert done.returncode == code
    assert ("succeeded but wrote no result" in done.stderr) == (text == "exit 0")


def test_the_program_is_told_where_the_package_is(lab: Project, tmp_path: Path) -> None:
    lab.write(run=PIPELINE + "\np()\n")
    done = lab.run(["run.py"], **program(tmp_path, 'echo "$1 $2 $4 $PROA_SDK"; exit 3'))
    assert done.stdout.split() == ["run", "--spec", "--result", str(HERE.parent)]


def test_an_unknown_run(lab: Project, tmp_path: Path) -> None:
    lab.write(run="from proa import get_run\nget_run('nope')\n")
    done = lab.run(["run.py"], **program(tmp_path))
    assert "Error: no run 'nope'" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(
        "`proa runs show nope -o json` failed with exit code 4; see its message above"
    )


def test_without_the_program(lab: Project, tmp_path: Path) -> None:
    shutil.copytree(HERE.parent / "proa", tmp_path / "elsewhere" / "proa")
    lab.write(run=PIPELINE + "\np()\n")
    python = tmp_path / "python"
    python.mkdir()
    command = f"import sys; sys.executable = {str(python / 'python')!r}; import runpy, sysconfig; " + (
        f"sysconfig.get_path = lambda *a: {str(python)!r}; runpy.run_path('run.py', run_name='__main__')"
    )
    done = lab.run(["-c", command], PYTHONPATH=str(tmp_path / "elsewhere"), PATH="/nonexistent")
    assert "the proa program was not found; install it with `pip install proa`" in done.stderr
    done = lab.run(["run.py"], PROA_BIN="/nonexistent/proa")
    assert "PROA_BIN is /nonexistent/proa, which is no program" in done.stderr


WAITS = (
    'trap "echo interrupted; exit 3" INT; trap "echo terminated; exit 3" TERM; echo ready; while :; do sleep 0.01; done'
)


@pytest.mark.parametrize(
    ("number", "group", "word"), [("SIGINT", True, "interrupted"), ("SIGTERM", False, "terminated")]
)
def test_signals(lab: Project, tmp_path: Path, number: str, group: bool, word: str) -> None:
    lab.write(run=PIPELINE + "\np()\n")
    process = subprocess.Popen(
        [lab.python, "run.py"],
        cwd=lab.root,
        env=lab.environment(**program(tmp_path, WAITS)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        (os.killpg if group else os.kill)(process.pid, getattr(signal, number))
        assert process.stdout.read() == f"{word}\n"
        assert process.stderr.read() == ""
    assert process.returncode == 3


def test_a_signal_is_not_lost_while_the_program_starts(lab: Project, tmp_path: Path) -> None:
    """The program is there, and sends its caller a signal, before the caller knows of the program."""
    early = """
        import os, signal, subprocess, time
        class Slow(subprocess.Popen):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                while not os.path.exists("ready"):
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGTERM)
        subprocess.Popen = Slow
    """
    lab.write(run=textwrap.dedent(early) + PIPELINE + "\np()\n")
    done = lab.run(["run.py"], **program(tmp_path, WAITS.replace("echo ready", "touch ready")))
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.endswith("terminated\n")


def test_the_digits_example(lab: Project, tmp_path: Path) -> None:
    shutil.copytree(HERE.parent.parent / "examples" / "digits", lab.root, dirs_exist_ok=True)
    done = lab.run(["run.py"], **program(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Test accuracy: 0.9688542825361512" in lines
    assert "train 898 x 64, test 899 x 64" in lines
    assert lines[-1] == "accuracy 0.9689"

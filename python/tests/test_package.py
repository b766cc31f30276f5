"""The package as a whole: what it imports, how long that takes, and its wheel."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project import HERE, SDK, Project

IMPORTED = """
import sys, time
before = set(sys.modules)
start = time.process_time()
import proa
took = time.process_time() - start
print(took)
import pkgutil, importlib
for module in pkgutil.walk_packages(proa.__path__, "proa."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in proa.__all__:
    getattr(proa, name)
new = {name.split(".")[0] for name in set(sys.modules) - before}
known = getattr(sys, "stdlib_module_names", None)
print(sorted(name for name in new if known and name not in known and name != "proa"))
"""


def test_importing_needs_nothing_but_the_standard_library_and_no_time(project: Project) -> None:
    fastest = 1.0
    for _ in range(5):
        done = project.run(["-c", IMPORTED], PYTHONDONTWRITEBYTECODE="")
        assert done.returncode == 0, done.stderr
        took, foreign = done.stdout.splitlines()
        assert foreign == "[]"
        fastest = min(fastest, float(took))
    assert fastest < 0.03


def test_unknown_names(project: Project) -> None:
    done = project.run(["-c", "import proa; print('step' in dir(proa)); proa.stepp"])
    assert done.stdout == "True\n" and "module 'proa' has no attribute 'stepp'" in done.stderr


def test_steps_keep_their_types(lab: Project) -> None:
    lab.write(
        run="""
            from typing import List
            from proa import Step, pipeline, step
            @step
            def one() -> int:
                return 1
            @step(name="x", retry=1)
            def two(value: int) -> List[int]:
                return [value]
            @pipeline
            def p(x: int) -> None:
                reveal_type(two(one()))
            reveal_type(one)
            reveal_type(p(x=1))
        """
    )
    done = lab.run(["-m", "mypy", "--strict", "--no-incremental", "run.py"])
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert [kind.replace("builtins.", "") for kind in revealed] == [
        "list[int]",
        "proa.steps.Step[int]",
        "proa.runs.Run",
    ]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("proa", "proa-step"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $@"\n')
    return build(programs, tmp_path / "dist")


def build(programs: Path, out: Path) -> Path:
    command = [sys.executable, str(SDK / "build_wheel.py"), "--bin", str(programs), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_wheels_record_is_right(wheel: Path) -> None:
    assert re.fullmatch(r"proa-[\d.]+-py3-none-\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith("/RECORD"))
        for line in archive.read(record).decode().splitlines():
            name, digest, size = line.split(",")
            names.remove(name)
            if name != record:
                data = archive.read(name)
                want = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, size) == (f"sha256={want}", str(len(data)))
    assert not names


def test_the_wheel_is_the_same_each_time(wheel: Path, tmp_path: Path) -> None:
    assert build(wheel.parent.parent / "bin", tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_the_installed_package_finds_its_program(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True)
    python = environment / "bin" / "python"
    code = "from proa.client import find_program; print(find_program())"
    outside = {"PATH": "/nonexistent"}
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=outside)
    assert found.stdout.strip() == str(environment / "bin" / "proa")
    shown = subprocess.run([environment / "bin" / "proa", "version"], capture_output=True, text=True, check=True)
    assert shown.stdout == "proa version\n"


def test_without_programs(tmp_path: Path) -> None:
    command = [sys.executable, str(SDK / "build_wheel.py"), "--bin", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "has no proa and no proa-step; run `make build` first" in done.stderr


def test_the_wheel_and_the_project_file_agree() -> None:
    project = (SDK / "pyproject.toml").read_text()
    script = (SDK / "build_wheel.py").read_text()
    for field, pattern in (("requires-python", r'requires-python = "(.*)"'), ("uv", r'dependencies = \["(.*)"\]')):
        value = re.search(pattern, project)
        assert value is not None and value.group(1) in script, field


def test_files_are_small() -> None:
    for path in [*SDK.glob("proa/**/*.py"), *SDK.glob("*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path
    assert HERE.is_dir()

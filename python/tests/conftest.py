from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import List, Optional

import pytest

from tests.project import Project

OLDEST = "3.9"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the golden files instead of comparing with them")


def _find_oldest() -> Optional[str]:
    """Return a Python of the oldest version that the package supports."""
    if sys.version_info[:2] == (3, 9):
        return sys.executable
    installed = sorted(Path.home().glob(f".pyenv/versions/{OLDEST}*/bin/python"))
    for candidate in [f"python{OLDEST}", *map(str, installed)]:
        try:
            shown = subprocess.run(
                [candidate, "-c", "import sys; print(sys.version_info[:2] == (3, 9) and sys.executable)"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=False,
            ).stdout.strip()
        except OSError:
            continue
        if shown and shown != "False":
            return shown
    return None


def _interpreters() -> List[object]:
    oldest = _find_oldest()
    skip = pytest.mark.skip(reason=f"no Python {OLDEST} on this machine: the oldest supported version is not tested")
    return [
        pytest.param(sys.executable, id="this-python"),
        pytest.param(oldest or "", id=f"python{OLDEST}", marks=[] if oldest else [skip]),
    ]


@pytest.fixture(params=_interpreters())
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project for each version of Python: for tests that need nothing but the standard library."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, request.param)


@pytest.fixture
def lab(tmp_path: Path) -> Project:
    """A project with the libraries of the test environment."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, sys.executable)

"""Docker settings: what they find on this machine, and which mistakes in them are told."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proa import DockerConfiguration, DockerSettings, freeze
from proa.docker import Project
from proa.errors import PipelineError


def document(folder: Path, **settings: Any) -> dict[str, Any]:
    (folder / "run.py").touch()
    return DockerSettings(**settings).document(Project(folder.resolve(), folder.resolve() / "run.py"))


def refused(folder: Path, text: str, **settings: Any) -> None:
    with pytest.raises(PipelineError, match=text):
        document(folder, **settings)


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock", "pylock.toml", "pylock.train.toml"])
def test_lock_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("lock")
    want = {"path": f"./{name}", "digest": "sha256:" + hashlib.sha256(b"lock").hexdigest()}
    assert document(tmp_path, requirements=name) == {"lock": want}
    assert document(tmp_path, pyproject_path=name, pyproject_extras=["gpu"], pyproject_groups=["dev"]) == {
        "lock": {**want, "extras": ["gpu"], "groups": ["dev"]}
    }
    refused(tmp_path, "both say what to install", requirements=name, pyproject_path="pyproject.toml")


def test_replicating_uv_and_pylock_finds_the_nearest_file(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "uv.lock").write_text("lock")
    assert document(inner, replicate_local_python_environment="uv")["lock"]["path"] == str(
        tmp_path.resolve() / "uv.lock"
    )
    refused(inner, "there is no pylock.toml", replicate_local_python_environment="pylock")


def test_replicating_what_is_installed(tmp_path: Path) -> None:
    got = document(tmp_path, replicate_local_python_environment=True)["requirements"]
    code = "from importlib.metadata import version; print(version('numpy'))"
    version = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert f"numpy=={version}" in got
    assert not [line for line in got if line.startswith(("pip==", "proa"))]
    assert got == document(tmp_path, replicate_local_python_environment="pip_freeze")["requirements"]
    refused(tmp_path, "did you mean 'pip_freeze'", replicate_local_python_environment="pip-freeze")


@pytest.mark.parametrize(
    ("direct", "want"),
    [
        (None, "six==1.17"),
        ('{"url": "file:///elsewhere/six.whl", "archive_info": {}}', "/elsewhere/six.whl"),
        ('{"url": "https://host/six.whl", "archive_info": {}}', "six @ https://host/six.whl"),
        ('{"url": "file:///project/six", "dir_info": {"editable": true}}', None),
    ],
)
def test_where_a_package_came_from(direct: str | None, want: str | None) -> None:
    assert freeze._requirement("six", "1.17", direct, Path("/project")) == want


@pytest.mark.parametrize(
    "direct",
    ['{"url": "file:///elsewhere", "dir_info": {}}', '{"url": "https://host/six", "vcs_info": {"vcs": "git"}}'],
)
def test_what_cannot_be_replicated(direct: str) -> None:
    with pytest.raises(PipelineError, match=r"six is installed from .* build a wheel of it"):
        freeze._requirement("six", "1.17", direct, Path("/project"))


def test_poetry_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(tmp_path, "needs the program poetry", replicate_local_python_environment="poetry_export")


def test_ways_of_bringing_code(tmp_path: Path) -> None:
    for settings, want in [
        ({"copy_files": False}, "none"),
        ({"copy_files": True}, "image"),
        ({"source_files": "download"}, "store"),
        ({"code": "store", "source_files": "download"}, "store"),
    ]:
        assert document(tmp_path, **settings) == {"code": want}  # type: ignore[arg-type]
    refused(tmp_path, "code and copy_files contradict", code="store", copy_files=False)
    refused(tmp_path, "did you mean 'include'", source_files="includes")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"requirements": 5}, "write a list"),
        ({"requirements": [5]}, "holds 5"),
        ({"apt_packages": "git"}, "write a list"),
        ({"environment": {"A": 1}}, "holds 1"),
        ({"environment": ["A"]}, "write a dict"),
        ({"skip_build": "yes"}, "write True or False"),
        ({"image_tag": 1}, "write text"),
        ({"dockerignore": "none"}, "there is no such file"),
        ({"pyproject_extras": ["gpu"]}, "name it"),
    ],
)
def test_mistakes(tmp_path: Path, settings: dict[str, Any], text: str) -> None:
    refused(tmp_path, text, **settings)


def test_the_older_name() -> None:
    assert DockerConfiguration is DockerSettings

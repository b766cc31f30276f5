"""Saying what is installed on this machine, so that an image can have the same."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional
from urllib.parse import unquote, urlparse

from proa.errors import PipelineError

#: What belongs to an environment rather than to what runs in it.
_TOOLS = ("pip", "setuptools", "wheel", "distribute", "proa", "uv")


def installed(root: Path) -> List[str]:
    """Return requirements of exactly what this Python has installed, but for code below the root."""
    from importlib.metadata import distributions

    found: Dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if not name or _normal(name) in _TOOLS or _normal(name) in found:
            continue
        line = _requirement(name, distribution.version, distribution.read_text("direct_url.json"), root)
        if line:
            found[_normal(name)] = line
    return [found[name] for name in sorted(found)]


def _requirement(name: str, version: str, direct: Optional[str], root: Path) -> Optional[str]:
    if direct is None:
        return f"{name}=={version}"
    origin: Dict[str, Any] = json.loads(direct)
    url = urlparse(origin.get("url", ""))
    path = Path(unquote(url.path))
    if url.scheme == "file" and "dir_info" in origin:
        if path == root or root in path.parents or path in root.parents:
            return None
        raise PipelineError(
            f"{name} is installed from the folder {path}, which is not below {root}, so it can't be replicated; "
            "build a wheel of it (`uv build --wheel`) and install that, or list the requirements"
        )
    if "vcs_info" in origin:
        raise PipelineError(
            f"{name} is installed from a repository, so it can't be replicated; build a wheel of it "
            "(`uv build --wheel`) and install that, or list the requirements"
        )
    return str(path) if url.scheme == "file" else f"{name} @ {origin['url']}"


def poetry(root: Path) -> List[str]:
    """Return what Poetry's lock file pins, as lines of a requirements file."""
    command = ["poetry", "export", "--format", "requirements.txt"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PipelineError(
            "poetry_export needs the program poetry with its export plug-in; install them, "
            'or use replicate_local_python_environment="pip_freeze"'
        ) from error
    if done.returncode != 0:
        raise PipelineError(f"`{' '.join(command)}` in {root} failed: {done.stderr.strip() or done.stdout.strip()}")
    return [line for line in re.sub(r"\\\n\s*", " ", done.stdout).splitlines() if line.strip()]


def lock_file(folder: Path, name: str) -> Path:
    """Return the nearest lock file of that name, in the folder or above."""
    for place in (folder, *folder.parents):
        if (place / name).is_file():
            return place / name
    hint = "`uv lock`" if name == "uv.lock" else "`uv export --format pylock.toml -o pylock.toml`"
    raise PipelineError(f"there is no {name} in {folder} or above; make one with {hint}")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

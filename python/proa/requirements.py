"""Reading requirements files: what is to be installed, within which bounds, and where it comes from."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple
from urllib.parse import unquote

from proa.errors import PipelineError

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(--[a-z-]+|-[a-z])(?:\s*=\s*|\s+|)(.*)\Z")
_LITERAL_PASSWORD = re.compile(
    r"https?://(?!([^/\s@:]+:)?\$\{[A-Z0-9_]+\}@)[^/\s@]+@|://[^/\s@:]+:(?!\$\{[A-Z0-9_]+\}@)[^/\s@]+@"
)
#: A wheel on this machine as tools write it that pin it, such as `six @ file:///wheels/six-1.17.0-py3-none-any.whl`.
_LOCAL_WHEEL = re.compile(r"[A-Za-z0-9._-]+(?:\[[^]]*\])? @ file://(?:localhost)?(/\S+\.whl)(.*)\Z")
_LONG = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
}
_INDEX = ("--index-url", "--extra-index-url", "--find-links", "--no-index")
#: What other options of a requirements file are to the installer; None is what happens anyway.
_ARGUMENTS = {"--pre": ["--prerelease=allow"], "--trusted-host": ["--allow-insecure-host"], "--prefer-binary": []}


class Requirements:
    """What a list or a file of requirements says. Paths in it are relative to the root."""

    def __init__(self, root: Path) -> None:
        self.specifiers: List[str] = []
        self.constraints: List[str] = []
        self.index_options: List[str] = []
        self.arguments: List[str] = []
        self._root = root
        self._hashed = False

    def read(self, path: Path) -> None:
        """Add a file and those that it includes."""
        self._read(path, (), self.specifiers)
        self._check_hashes()

    def add(self, lines: Sequence[str], folder: Path) -> None:
        """Add lines whose paths are relative to a folder."""
        for number, line in enumerate(lines, 1):
            text = re.sub(r"\s+", " ", _COMMENT.sub("", line)).strip()
            if text:
                self._line(text, folder, f"requirements, element {number}", (), self.specifiers)
        self._check_hashes()

    def _check_hashes(self) -> None:
        bare = [line for line in self.specifiers if "--hash" not in line]
        if self._hashed and bare:
            raise PipelineError(f"--require-hashes is set, and {bare[0]!r} has no hash; add --hash=sha256:... to it")

    def _read(self, path: Path, within: Tuple[Path, ...], into: List[str]) -> None:
        path = path.resolve()
        if path in within:
            chain = " -> ".join(str(part) for part in (*within, path))
            raise PipelineError(f"requirements files include each other in a cycle: {chain}")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            origin = f" (included by {within[-1]})" if within else ""
            raise PipelineError(f"requirements file {path}{origin} can't be read: {error.strerror}") from error
        for number, line in _logical_lines(text):
            self._line(line, path.parent, f"{path}:{number}", (*within, path), into)

    def _line(self, line: str, folder: Path, where: str, within: Tuple[Path, ...], into: List[str]) -> None:
        if _LITERAL_PASSWORD.search(line):
            raise PipelineError(
                f"{where}: the URL holds a password, which would be stored with every run; write ${{NAME}} in its "
                "place, and set that environment variable or build_secrets"
            )
        if line.startswith("-"):
            self._option(line, folder, where, within, into)
        else:
            _append(into, self._specifier(line, folder, where))

    def _option(self, line: str, folder: Path, where: str, within: Tuple[Path, ...], into: List[str]) -> None:
        found = _OPTION.match(line)
        short, value = (found.group(1), found.group(2).strip()) if found else (line, "")
        option = _LONG.get(short, short)
        if option == "--requirement":
            self._read(folder / value, within, into)
        elif option == "--constraint":
            self._read(folder / value, within, self.constraints)
        elif option == "--require-hashes":
            self._hashed = True
        elif option in _INDEX:
            if option == "--find-links" and "://" not in value and not value.startswith("${"):
                value = self.relative(folder / value)
            _append(self.index_options, f"{option} {value}".strip())
        elif option in _ARGUMENTS:
            self.arguments += _ARGUMENTS[option] + ([value] if value else [])
        elif option == "--editable":
            raise PipelineError(
                f"{where}: {value} can't be installed in editable mode in an image; code below the root is there "
                "anyway, and for other code build a wheel and name that file"
            )
        else:
            raise PipelineError(
                f"{where}: the option {short} has no meaning for an image's requirements; remove it, or give the "
                "installer an argument with python_package_installer_args"
            )

    def _specifier(self, line: str, folder: Path, where: str) -> str:
        local = _LOCAL_WHEEL.match(line)
        if local and " " not in unquote(local.group(1)):
            line = unquote(local.group(1)) + local.group(2)
        name, *rest = line.split(" ", 1)
        if "://" in name or " @ " in line:
            return line
        if name.endswith(".whl"):
            return " ".join([self.relative(folder / name), *rest])
        if name in (".", "..") or name.startswith(("./", "../", "/", ".[")):
            raise PipelineError(f"{where}: {name} is no wheel; build one of it (`uv build --wheel`) and name that file")
        return line

    def relative(self, path: Path) -> str:
        """Return a path as it is written in a spec: relative to the root, or absolute if it isn't below."""
        resolved = path.resolve()
        below = os.path.relpath(resolved, self._root)
        return str(resolved) if below.startswith("..") else "./" + Path(below).as_posix()


def _append(lines: List[str], line: str) -> None:
    if line not in lines:
        lines.append(line)


def _logical_lines(text: str) -> Iterator[Tuple[int, str]]:
    """Yield lines that say something, with continuations joined and comments gone, and the number each begins at."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        if line.rstrip().endswith("\\") and not _COMMENT.search(line):
            pending += line.rstrip()[:-1] + " "
            continue
        whole = _COMMENT.sub("", pending + line).strip()
        pending = ""
        if whole:
            yield start, re.sub(r"\s+", " ", whole)
    if pending.strip():
        yield start, re.sub(r"\s+", " ", pending).strip()

"""Expanding a requirements file into its requirement specifiers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, List, Tuple

from proa.errors import PipelineError

_COMMENT = re.compile(r"(^|\s+)#.*$")
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=)?(\S.*)\Z")


def expand(path: Path) -> List[str]:
    """Return the requirements of a file and of those that it includes, in order, without repetition."""
    return list(dict.fromkeys(_expand(path, ())))


def _expand(path: Path, within: Tuple[Path, ...]) -> Iterator[str]:
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
        include = _INCLUDE.match(line)
        if include:
            yield from _expand(path.parent / include.group(1).strip(), (*within, path))
        elif line.startswith("-"):
            raise PipelineError(
                f"{path}:{number}: the option {line.split()[0].split('=')[0]} has no meaning for an image's "
                "requirements; remove the line (an index is configured for uv, by its environment variables)"
            )
        else:
            yield line


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

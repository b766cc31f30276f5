"""Bytes, files and folders."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Any

from proa.errors import MaterializerError
from proa.materializers.base import Materializer, one_line, only_file


class BytesMaterializer(Materializer):
    """Bytes, as they are."""

    def can_save(self, value: Any) -> bool:
        """Report whether it is bytes and not of a class derived from it."""
        return type(value) is bytes

    def save(self, value: Any, path: Path) -> None:
        (path / "value.bin").write_bytes(value)

    def load(self, path: Path, type: Any) -> Any:
        return (path / "value.bin").read_bytes()

    def preview(self, value: Any) -> str:
        return f"{len(value)} bytes"


class PathMaterializer(Materializer):
    """The file or folder that a path points at, with all that is in it. It loads as the path of a read-only copy."""

    def can_save(self, value: Any) -> bool:
        """Report whether the path can be a file or folder at all."""
        return isinstance(value, Path)

    def save(self, value: Any, path: Path) -> None:
        if value.is_dir():
            shutil.copytree(value, path / "folder" / _name(value))
        elif value.is_file():
            (path / "file").mkdir()
            shutil.copy(value, path / "file" / _name(value))
        else:
            raise MaterializerError(
                f"{value} is neither a file nor a folder; write it before the step returns (a relative path begins in "
                f"{Path.cwd()})"
            )

    def load(self, path: Path, type: Any) -> Any:
        copy = only_file(path / "file") if (path / "file").is_dir() else next((path / "folder").iterdir())
        for file in [copy] if copy.is_file() else copy.rglob("*"):
            if file.is_file():
                file.chmod(file.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        return copy

    def preview(self, value: Any) -> str:
        if value.is_dir():
            count = sum(1 for entry in value.rglob("*") if entry.is_file())
            return one_line(f"folder {_name(value)} with {count} files")
        return one_line(f"file {_name(value)}, {value.stat().st_size} bytes")

    def type_name(self, value: Any) -> str:
        return "pathlib.Path"


def _name(path: Path) -> str:
    return path.name or path.resolve().name or "root"

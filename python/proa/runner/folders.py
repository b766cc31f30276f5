"""The folders that a module may have remembered while it was imported, and that all steps forked from it so share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable, List, Set


class Folders:
    """Folders of the process that imports, which get back to what they were after the import."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = [Path(folder) for folder in folders if folder]
        self._kept: Set[Path] = set()

    def imported(self) -> None:
        """Note what the import has made."""
        self._kept = set(self._content())

    def restore(self) -> None:
        """Remove what was made since, which no step that runs may use."""
        for path in reversed(self._content()):
            if path in self._kept:
                continue
            try:
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()
            except OSError:
                pass

    def _content(self) -> List[Path]:
        """Return all that is in the folders, each folder before what is in it."""
        found: List[Path] = []
        for root in self._folders:
            for folder, folders, files in os.walk(root):
                for name in folders:
                    path = Path(folder, name)
                    if path not in self._kept and not path.is_symlink():
                        _open(path)
                found.extend(Path(folder, name) for name in (*folders, *files))
        return found


def _open(folder: Path) -> None:
    """Have a folder that a step has closed be looked into."""
    try:
        folder.chmod(0o700)
    except OSError:
        pass

"""The base class of materializers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, List, Tuple, Type

#: Materializers that were defined with ``types``, by type. The latest definition counts.
registered: Dict[type, Type[Materializer]] = {}


class Materializer:
    """Writes values of some types to a folder and reads them back.

    A subclass that names ``types`` is used for them, and for classes derived from them, wherever it is defined or
    imported::

        class TableMaterializer(Materializer):
            types = (Table,)

            def save(self, value, path):
                (path / "table.csv").write_text(value.to_csv())

            def load(self, path, type):
                return Table.from_csv((path / "table.csv").read_text())

    Equal values should give equal bytes: what follows a step that gave the same result as before is not run again.
    """

    types: ClassVar[Tuple[type, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for kind in cls.types:
            registered[kind] = cls

    def save(self, value: Any, path: Path) -> None:
        """Write the value to files in the folder ``path``, which exists and is empty."""
        raise NotImplementedError(f"{type(self).__name__} has no method save(value, path)")

    def load(self, path: Path, type: Any) -> Any:
        """Return the value in the folder ``path``. ``type`` is the class that was saved, if it can be imported."""
        raise NotImplementedError(f"{self.__class__.__name__} has no method load(path, type)")

    def preview(self, value: Any) -> str:
        """Return one short line for people."""
        return type(value).__qualname__

    def type_name(self, value: Any) -> str:
        """Return the name of the value's type to record, "module.qualname"."""
        return f"{type(value).__module__}.{type(value).__qualname__}"


def one_line(text: str, limit: int = 80) -> str:
    """Return text as one line of at most limit characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def only_file(path: Path) -> Path:
    """Return the one file of a folder."""
    from proa.errors import MaterializerError

    files: List[Path] = [entry for entry in path.iterdir() if entry.is_file()]
    if len(files) != 1:
        raise MaterializerError(f"the artifact in {path} has {len(files)} files where one was expected")
    return files[0]

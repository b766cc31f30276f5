"""Loading saved values: finding the class and the materializer again by their recorded names."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Iterator

from proa.materializers import named_materializer


def load(path: Path, type_name: str, materializer: str) -> Any:
    """Return the value in a folder, in the process that ran the pipeline or reads its results."""
    with script_as_module():
        found = named_materializer(materializer)
        return found.load(path, resolve_type(type_name))


def resolve_type(name: str, load_module: Callable[[str], Any] = import_module, default: Any = object) -> Any:
    """Return the class "module.qualname", or default if it can't be imported."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = load_module(".".join(parts[:cut]))
            for part in parts[cut:]:
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError):
            continue
        if isinstance(found, type):
            return found
    return default


@contextmanager
def script_as_module() -> Iterator[None]:
    """Let the executed script be imported by the name that its steps' values were saved under."""
    from proa.source import Source, find_source, main_file

    main, module = main_file(), sys.modules.get("__main__")
    if main is None or module is None:
        yield
        return
    source: Source = find_source(_Anchor)
    names = {main.stem, source.name_of(main) or main.stem} - set(sys.modules)
    for name in names:
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


class _Anchor:
    """Stands for anything that is defined in the script."""

    __module__ = "__main__"

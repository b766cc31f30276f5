"""Where the user's code is, and under which names its modules are imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from proa.errors import PipelineError


class Source:
    """The folder that holds the user's code, and the script that was run."""

    def __init__(self, root: Path, main: Path) -> None:
        self.root = root
        self.main = main
        self._names: Dict[str, str] = {}

    def module_name(self, thing: Any) -> str:
        """Return the name that a function's or class's module is imported by, with the root on the path."""
        if thing.__module__ not in self._names:
            self._names[thing.__module__] = self._find_name(thing)
        return self._names[thing.__module__]

    def _find_name(self, thing: Any) -> str:
        path = file_of(thing)
        if path is None:
            raise PipelineError(
                f"{thing.__qualname__!r} is defined in {thing.__module__!r}, which is no file; "
                "steps are imported where they run, so write them in a .py file"
            )
        return self.name_of(path) or str(thing.__module__)

    def name_of(self, path: Path) -> Optional[str]:
        """Return the dotted name of a file under the root, or None if it is elsewhere."""
        try:
            parts = list(path.relative_to(self.root).with_suffix("").parts)
        except ValueError:
            return None
        if "site-packages" in parts:
            return None
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        for part in parts:
            if "." in part:
                raise PipelineError(f"{path} can't be imported, because {part!r} has a dot in it; rename it")
        return ".".join(parts)

    def reference(self, thing: Any) -> str:
        """Return "module:qualname" of a function or class."""
        if "<locals>" in thing.__qualname__ or thing.__qualname__ == "<lambda>":
            raise PipelineError(
                f"{thing.__qualname__!r} is defined inside a function; "
                "steps are imported where they run, so define it at the top of a module"
            )
        return f"{self.module_name(thing)}:{thing.__qualname__}"

    def type_name(self, kind: type) -> str:
        """Return "module.qualname" of a class, as the runner sees it."""
        if kind.__module__ != "__main__":
            return f"{kind.__module__}.{kind.__qualname__}"
        return f"{self.module_name(kind)}.{kind.__qualname__}"


def find_source(function: Any) -> Source:
    """Return the source that a pipeline function belongs to.

    Its root is the nearest folder above the executed script that holds ``.proa``, else the script's own folder.
    """
    main = main_file()
    own = file_of(function)
    if main is None or (own is not None and not _within(own, _root(main))):
        main = own
    if main is None:
        raise PipelineError(
            "this pipeline was not written in a file; steps are imported where they run, so write them in a .py file"
        )
    return Source(_root(main), main)


def main_file() -> Optional[Path]:
    """Return the executed script."""
    return _python_file(getattr(sys.modules.get("__main__"), "__file__", None))


def file_of(thing: Any) -> Optional[Path]:
    """Return the file that a function or class is defined in, if there is one.

    A function knows better than sys.modules: under a profiler, ``__main__`` is the profiler there.
    """
    scope = getattr(thing, "__globals__", {})
    if scope.get("__name__") == thing.__module__ and "__file__" in scope:
        return _python_file(scope["__file__"])
    return _python_file(getattr(sys.modules.get(thing.__module__), "__file__", None))


def _python_file(name: Any) -> Optional[Path]:
    if not name or not str(name).endswith(".py"):
        return None
    path = Path(name).resolve()
    return path if path.is_file() else None


def _root(path: Path) -> Path:
    for folder in path.parents:
        if (folder / ".proa").is_dir():
            return folder
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    return folder


def _within(path: Path, root: Path) -> bool:
    return root in path.parents and "site-packages" not in path.relative_to(root).parts


def import_folders(path: Path, root: Path) -> List[Path]:
    """Return the folders that a file's imports may be relative to: the root, then its own plain folders.

    A script in a sub-folder of the root imports its neighbours by their bare names, because Python puts the script's
    folder on the path; a folder with an ``__init__.py`` is a package and not one of these.
    """
    folders = [root]
    for folder in path.parents:
        if folder == root or root not in folder.parents:
            break
        if not (folder / "__init__.py").is_file():
            folders.append(folder)
    return folders

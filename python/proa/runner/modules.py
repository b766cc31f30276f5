"""Importing the modules of the user's code for their steps, without running the pipelines in them."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from proa import pipelines
from proa.errors import ProaError
from proa.source import import_folders


class StopImport(BaseException):
    """A pipeline was called during an import that has given all it was wanted for."""


class Nothing:
    """What a pipeline returns when a script is only imported: it takes anything and does nothing."""

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Nothing:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Nothing:
        """Do nothing."""
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __bool__(self) -> bool:
        return False


class Modules:
    """Imports from the source's root."""

    def __init__(self, root: Path) -> None:
        # Python tells a stale .pyc by the source's size and the second it was written in; an edit can keep both.
        sys.dont_write_bytecode = True
        self.root = root.resolve()
        if not {"", str(root), str(self.root)} & set(sys.path):
            sys.path.insert(0, str(root))
        self._add_sites()

    def _add_sites(self) -> None:
        """Make the folders in PROA_SITE full site folders, in which .pth files count."""
        sites = [entry for entry in os.environ.get("PROA_SITE", "").split(os.pathsep) if entry]
        if sites:
            import site

            for entry in sites:
                site.addsitedir(entry)

    def get(self, source: str) -> Any:
        """Return what "module:qualname" names."""
        module, _, qualname = source.partition(":")
        found = _lookup(self._import(module, qualname), qualname)
        if found is None:
            raise ProaError(
                f"module {module!r} has no {qualname!r} when it is imported; define steps at the top of a module, "
                'outside of `if __name__ == "__main__"`'
            )
        return found

    def has(self, source: str) -> bool:
        """Say whether "module:qualname" was imported already."""
        module, _, qualname = source.partition(":")
        return module in sys.modules and _lookup(sys.modules[module], qualname) is not None

    def load(self, name: str) -> ModuleType:
        """Return the module of that name; it is the import_module of this folder."""
        return self._import(name, "")

    def _import(self, name: str, qualname: str) -> ModuleType:
        if name in sys.modules:
            return sys.modules[name]
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return import_module(name)
        if spec.origin:
            self._add_folders(Path(spec.origin))
        module = module_from_spec(spec)
        sys.modules[name] = module

        def called() -> Nothing:
            if _lookup(module, qualname) is not None:
                raise StopImport
            return Nothing()

        pipelines.intercept(called)
        try:
            spec.loader.exec_module(module)
        except StopImport:
            pass
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            pipelines.intercept(Nothing)
        return module

    def _add_folders(self, path: Path) -> None:
        for folder in import_folders(path.resolve(), self.root)[1:]:
            if str(folder) not in sys.path:
                sys.path.append(str(folder))


def _lookup(module: ModuleType, qualname: str) -> Any:
    found: Any = module
    for part in qualname.split(".") if qualname else ():
        found = getattr(found, part, None)
    return None if found is module else found

"""Digests of source code: what a cached result depends on.

A digest covers a function or class and, transitively, the functions, classes and module-level values it names in
modules under the source root, and what it imports from elsewhere by name. It is made of syntax trees: comments,
formatting and docstrings don't change it, nor do the options of ``@step``, nor the version of Python.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any, Dict, List, Optional

from proa.source import Source, file_of, import_folders
from proa.syntax import (
    Imported,
    Module,
    dump,
    find_definition,
    is_none,
    local_imports,
    own_nodes,
    references,
    without_step_decorator,
)


class Digester:
    """Computes digests, reading each file of the source once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._modules: Dict[Path, Optional[Module]] = {}
        self._digests: Dict[Any, str] = {}
        self._returns: Dict[Any, str] = {}
        # What each digest is made of: the name of each definition, or import, and a short digest of its own.
        self.parts: Dict[str, Dict[str, str]] = {}

    def digest(self, thing: Any) -> str:
        """Return "sha256:…" of a function's or class's source."""
        if thing not in self._digests:
            self._digests[thing] = self._compute(thing)
        return self._digests[thing]

    def _compute(self, thing: Any) -> str:
        parts: Dict[str, str] = {}
        module = self._module_of(thing)
        name = thing.__qualname__.split(".")[0]
        if module is None or name not in module.bindings:
            parts[thing.__qualname__] = _compiled(thing)
        else:
            self._visit(module, name, parts)
        digest = "sha256:" + _sha256("\n".join(f"{key} {parts[key]}" for key in sorted(parts)))
        self.parts[digest] = {key: _sha256(parts[key])[:16] for key in sorted(parts)}
        return digest

    def returns(self, function: Any) -> str:
        """Tell what a call of a function gives: "value", "generator", "coroutine" or "nothing"."""
        if function not in self._returns:
            self._returns[function] = self._look_for_returns(function)
        return self._returns[function]

    def _look_for_returns(self, function: Any) -> str:
        module = self._module_of(function)
        node = find_definition(module, function.__qualname__) if module else None
        if isinstance(node, ast.AsyncFunctionDef):
            return "coroutine"
        found = "nothing"
        for part in own_nodes(node) if node is not None else ():
            if isinstance(part, (ast.Yield, ast.YieldFrom)):
                return "generator"
            if isinstance(part, ast.Return) and not is_none(part.value):
                found = "value"
        return found

    def _module_of(self, thing: Any) -> Optional[Module]:
        path = file_of(thing)
        return self._load(path, thing.__module__) if path else None

    def _load(self, path: Path, name: str) -> Optional[Module]:
        if path not in self._modules:
            try:
                tree = ast.parse(path.read_bytes(), str(path))
            except (OSError, SyntaxError, ValueError):
                self._modules[path] = None
            else:
                self._modules[path] = Module(self._source.name_of(path) or name, path, tree)
        return self._modules[path]

    def _find_module(self, name: str, user: Module) -> Optional[Module]:
        """Return the module under the root that an import in another one means, if it means one."""
        for folder in import_folders(user.path, self._source.root):
            base = folder.joinpath(*name.split("."))
            for path in (base / "__init__.py", base.with_name(base.name + ".py")):
                if path.is_file() and self._source.name_of(path) is not None:
                    return self._load(path, name)
        return None

    def _visit(self, module: Module, name: str, parts: Dict[str, str]) -> None:
        key = f"{module.name}:{name}"
        if key in parts:
            return
        parts[key] = ""
        for binding in module.bindings.get(name, ()):
            if isinstance(binding, Imported):
                self._follow(module, binding, [], parts)
                continue
            node = without_step_decorator(binding, module)
            parts[key] += dump(node) + ";"
            local = dict(local_imports(node, module.package))
            for imported in local.values():
                if imported.name is not None:
                    self._follow(module, imported, [], parts)
            for chain in references(node):
                self._resolve(module, chain, local, parts)

    def _resolve(self, module: Module, chain: List[str], local: Dict[str, Imported], parts: Dict[str, str]) -> None:
        root, attributes = chain[0], chain[1:]
        if root in local:
            self._follow(module, local[root], attributes, parts)
        elif root in module.bindings:
            for binding in module.bindings[root]:
                if isinstance(binding, Imported):
                    self._follow(module, binding, attributes, parts)
                else:
                    self._visit(module, root, parts)
        else:
            for star in module.stars:
                target = self._find_module(star, module)
                if target is not None and root in target.bindings:
                    self._visit(target, root, parts)

    def _follow(self, user: Module, imported: Imported, attributes: List[str], parts: Dict[str, str]) -> None:
        target = self._find_module(imported.module, user)
        if target is None and imported.module.split(".")[0] != "proa" and self._is_foreign(imported.module, user):
            where = ".".join(filter(None, (imported.module, imported.name)))
            parts.setdefault(f"import {where}", "")
            return
        if imported.name is not None:
            attributes = [imported.name, *attributes]
        self._descend(user, imported.module, target, attributes, parts)

    def _is_foreign(self, name: str, user: Module) -> bool:
        """Report whether no part of a dotted name is a folder of the source."""
        first = name.split(".")[0]
        folders = import_folders(user.path, self._source.root)
        return not any((folder / first).is_dir() for folder in folders)

    def _descend(
        self, user: Module, name: str, target: Optional[Module], attributes: List[str], parts: Dict[str, str]
    ) -> None:
        """Visit what an attribute chain on a module means: a definition, a submodule, or all of the module."""
        if target is not None and attributes and attributes[0] in target.bindings:
            self._visit(target, attributes[0], parts)
        elif attributes:
            deeper = f"{name}.{attributes[0]}"
            submodule = self._find_module(deeper, user)
            if submodule is not None or (target is None and len(attributes) > 1):
                self._descend(user, deeper, submodule, attributes[1:], parts)
        elif target is not None:
            for binding in list(target.bindings):
                self._visit(target, binding, parts)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _compiled(thing: Any) -> str:
    """Return what identifies code whose source can't be read."""
    code = getattr(thing, "__code__", None)
    return repr((code.co_code, code.co_names, code.co_consts)) if code else type(thing).__qualname__

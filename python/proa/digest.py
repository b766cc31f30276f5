"""Digests of source code: what a cached result depends on.

A digest covers a function or class and, transitively, the functions, classes and module-level values it names in
modules under the source root, and what it imports from elsewhere by name. It is made of syntax trees: comments,
formatting and docstrings don't change it, nor do the options of ``@step``, nor the version of Python.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from proa.source import Source, import_folders, module_file

_SKIPPED = {"ctx", "kind", "type_comment", "type_ignores"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Imported(NamedTuple):
    """A name that an import binds: ``module`` is absolute, ``name`` is None for a whole module."""

    module: str
    name: Optional[str]


_Binding = Union[ast.stmt, _Imported]


class _Module:
    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.bindings: Dict[str, List[_Binding]] = {}
        self.stars: List[str] = []
        self._collect(tree.body)

    def _collect(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                self.bindings.setdefault(node.name, []).append(node)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._collect_import(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                for name in _stored(node):
                    self.bindings.setdefault(name, []).append(node)
            elif not _is_main_guard(node):
                for part in _bodies(node):
                    self._collect(part)

    def _collect_import(self, node: Union[ast.Import, ast.ImportFrom]) -> None:
        for name, imported in imports(node, self.package):
            if imported.name == "*":
                self.stars.append(imported.module)
            else:
                self.bindings.setdefault(name, []).append(imported)


class Digester:
    """Computes digests, reading each file of the source once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._modules: Dict[Path, Optional[_Module]] = {}

    def digest(self, thing: Any) -> str:
        """Return "sha256:…" of a function's or class's source."""
        parts: Dict[str, str] = {}
        module = self._module_of(thing)
        name = thing.__qualname__.split(".")[0]
        if module is None or name not in module.bindings:
            parts[thing.__qualname__] = _compiled(thing)
        else:
            self._visit(module, name, parts)
        text = "\n".join(f"{key} {parts[key]}" for key in sorted(parts))
        return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def returns(self, function: Any) -> str:
        """Tell what a call of a function gives: "value", "generator", "coroutine" or "nothing"."""
        module = self._module_of(function)
        node = _find(module, function.__qualname__) if module else None
        if isinstance(node, ast.AsyncFunctionDef):
            return "coroutine"
        found = "nothing"
        for part in _own_nodes(node) if node is not None else ():
            if isinstance(part, (ast.Yield, ast.YieldFrom)):
                return "generator"
            if isinstance(part, ast.Return) and not _is_none(part.value):
                found = "value"
        return found

    def _module_of(self, thing: Any) -> Optional[_Module]:
        path = module_file(sys.modules.get(thing.__module__))
        return self._load(path, thing.__module__) if path else None

    def _load(self, path: Path, name: str) -> Optional[_Module]:
        if path not in self._modules:
            try:
                tree = ast.parse(path.read_bytes(), str(path))
            except (OSError, SyntaxError, ValueError):
                self._modules[path] = None
            else:
                self._modules[path] = _Module(self._source.name_of(path) or name, path, tree)
        return self._modules[path]

    def _find_module(self, name: str, user: _Module) -> Optional[_Module]:
        """Return the module under the root that an import in another one means, if it means one."""
        for folder in import_folders(user.path, self._source.root):
            base = folder.joinpath(*name.split("."))
            for path in (base / "__init__.py", base.with_name(base.name + ".py")):
                if path.is_file() and self._source.name_of(path) is not None:
                    return self._load(path, name)
        return None

    def _visit(self, module: _Module, name: str, parts: Dict[str, str]) -> None:
        key = f"{module.name}:{name}"
        if key in parts:
            return
        parts[key] = ""
        for binding in module.bindings.get(name, ()):
            if isinstance(binding, _Imported):
                self._follow(module, binding, [], parts)
                continue
            node = _without_step_decorator(binding, module)
            parts[key] += dump(node) + ";"
            local = dict(_local_imports(node, module.package))
            for imported in local.values():
                if imported.name is not None:
                    self._follow(module, imported, [], parts)
            for chain in _references(node):
                self._resolve(module, chain, local, parts)

    def _resolve(self, module: _Module, chain: List[str], local: Dict[str, _Imported], parts: Dict[str, str]) -> None:
        root, attributes = chain[0], chain[1:]
        if root in local:
            self._follow(module, local[root], attributes, parts)
        elif root in module.bindings:
            for binding in module.bindings[root]:
                if isinstance(binding, _Imported):
                    self._follow(module, binding, attributes, parts)
                else:
                    self._visit(module, root, parts)
        else:
            for star in module.stars:
                target = self._find_module(star, module)
                if target is not None and root in target.bindings:
                    self._visit(target, root, parts)

    def _follow(self, user: _Module, imported: _Imported, attributes: List[str], parts: Dict[str, str]) -> None:
        target = self._find_module(imported.module, user)
        if target is None:
            if imported.module.split(".")[0] != "proa" and self._is_foreign(imported.module, user):
                where = ".".join(filter(None, (imported.module, imported.name)))
                parts.setdefault(f"import {where}", "")
                return
        if imported.name is not None:
            attributes = [imported.name, *attributes]
        self._descend(user, imported.module, target, attributes, parts)

    def _is_foreign(self, name: str, user: _Module) -> bool:
        """Report whether no part of a dotted name is a folder of the source."""
        first = name.split(".")[0]
        folders = import_folders(user.path, self._source.root)
        return not any((folder / first).is_dir() for folder in folders)

    def _descend(
        self, user: _Module, name: str, target: Optional[_Module], attributes: List[str], parts: Dict[str, str]
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


def imports(node: Union[ast.Import, ast.ImportFrom], package: str) -> Iterator[Tuple[str, _Imported]]:
    """Yield the names that an import binds, and what they are bound to."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            first = alias.name.split(".")[0]
            yield (alias.asname or first), _Imported(alias.name if alias.asname else first, None)
            continue
        module = node.module or ""
        if node.level:
            parents = package.split(".") if package else []
            kept = parents[: len(parents) - node.level + 1]
            module = ".".join([*kept, module] if module else kept)
        yield (alias.asname or alias.name), _Imported(module, alias.name)


def dump(value: Any) -> str:
    """Return a syntax tree as text that is the same in every version of Python, without docstrings."""
    if isinstance(value, ast.Constant):
        return f"{type(value.value).__name__}:{value.value!r}"
    if isinstance(value, ast.AST):
        fields = []
        for name, field in ast.iter_fields(value):
            if name == "body" and isinstance(value, (*_FUNCTIONS, ast.ClassDef)):
                field = _without_docstring(field)
            if name not in _SKIPPED and field is not None and field != []:
                fields.append(f"{name}={dump(field)}")
        return f"{type(value).__name__}({','.join(fields)})"
    if isinstance(value, list):
        return f"[{','.join(dump(item) for item in value)}]"
    return repr(value)


def _without_docstring(body: List[ast.stmt]) -> List[ast.stmt]:
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body


def _without_step_decorator(node: ast.stmt, module: _Module) -> ast.stmt:
    if not isinstance(node, _FUNCTIONS):
        return node
    kept = [decorator for decorator in node.decorator_list if not _is_step_decorator(decorator, module)]
    if len(kept) == len(node.decorator_list):
        return node
    fields = {name: value for name, value in ast.iter_fields(node) if name != "decorator_list"}
    return type(node)(**fields, decorator_list=kept, lineno=node.lineno, col_offset=node.col_offset)


def _is_step_decorator(decorator: ast.expr, module: _Module) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    chain = _chain(called)
    if not chain:
        return False
    for binding in module.bindings.get(chain[0], ()):
        if isinstance(binding, _Imported):
            full = [*binding.module.split("."), *([binding.name] if binding.name else []), *chain[1:]]
            if full[0] == "proa" and full[-1] == "step":
                return True
    return False


def _chain(node: ast.AST) -> List[str]:
    """Return the names of a dotted expression, a.b.c; empty if it is anything else."""
    names: List[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return []
    return [node.id, *reversed(names)]


def _references(node: ast.AST) -> List[List[str]]:
    """Return the dotted names that are read anywhere in a tree; of a.b.c only the whole."""
    found: List[List[str]] = []
    stack: List[ast.AST] = [node]
    while stack:
        part = stack.pop()
        chain = _chain(part) if isinstance(part, (ast.Attribute, ast.Name)) else []
        if chain:
            found.append(chain)
        else:
            stack.extend(ast.iter_child_nodes(part))
    return found


def _local_imports(node: ast.AST, package: str) -> Iterator[Tuple[str, _Imported]]:
    for part in ast.walk(node):
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            for name, imported in imports(part, package):
                if imported.name != "*":
                    yield name, imported


def _stored(node: ast.AST) -> List[str]:
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def _bodies(node: ast.stmt) -> Iterator[List[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(node, name, [])
    for handler in getattr(node, "handlers", []):
        yield handler.body


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _find(module: _Module, qualname: str) -> Optional[ast.AST]:
    """Return the definition of a qualified name in a module."""
    first, *rest = qualname.split(".")
    nodes = [node for node in module.bindings.get(first, ()) if isinstance(node, ast.AST)]
    node: Optional[ast.AST] = nodes[-1] if nodes else None
    for name in rest:
        body = getattr(node, "body", [])
        node = next((part for part in body if getattr(part, "name", None) == name), None)
    return node


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, but not those of functions and classes inside it."""
    stack: List[ast.AST] = list(getattr(function, "body", []))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))


def _is_none(node: Optional[ast.expr]) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _compiled(thing: Any) -> str:
    """Return what identifies code whose source can't be read."""
    code = getattr(thing, "__code__", None)
    return repr((code.co_code, code.co_names, code.co_consts)) if code else type(thing).__qualname__

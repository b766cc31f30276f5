"""Syntax trees: what a module binds, what a definition refers to, and a form of it that formatting doesn't change."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

_SKIPPED = {"ctx", "kind", "type_comment", "type_ignores"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Imported(NamedTuple):
    """A name that an import binds: ``module`` is absolute, ``name`` is None for a whole module."""

    module: str
    name: Optional[str]


Binding = Union[ast.stmt, Imported]


class Module:
    """A module of the user's code and what it binds at its top level."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.bindings: Dict[str, List[Binding]] = {}
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


def imports(node: Union[ast.Import, ast.ImportFrom], package: str) -> Iterator[Tuple[str, Imported]]:
    """Yield the names that an import binds, and what they are bound to."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            first = alias.name.split(".")[0]
            yield (alias.asname or first), Imported(alias.name if alias.asname else first, None)
            continue
        module = node.module or ""
        if node.level:
            parents = package.split(".") if package else []
            kept = parents[: len(parents) - node.level + 1]
            module = ".".join([*kept, module] if module else kept)
        yield (alias.asname or alias.name), Imported(module, alias.name)


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


def without_step_decorator(node: ast.stmt, module: Module) -> ast.stmt:
    """Return a definition without ``@step`` and its options."""
    if not isinstance(node, _FUNCTIONS):
        return node
    kept = [decorator for decorator in node.decorator_list if not _is_step_decorator(decorator, module)]
    if len(kept) == len(node.decorator_list):
        return node
    fields = {name: value for name, value in ast.iter_fields(node) if name != "decorator_list"}
    return type(node)(**fields, decorator_list=kept, lineno=node.lineno, col_offset=node.col_offset)


def _is_step_decorator(decorator: ast.expr, module: Module) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    chain = _chain(called)
    if not chain:
        return False
    for binding in module.bindings.get(chain[0], ()):
        if isinstance(binding, Imported):
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


def references(node: ast.AST) -> List[List[str]]:
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


def local_imports(node: ast.AST, package: str) -> Iterator[Tuple[str, Imported]]:
    """Yield what imports inside a definition bind."""
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


def find_definition(module: Module, qualname: str) -> Optional[ast.AST]:
    """Return the definition of a qualified name in a module."""
    first, *rest = qualname.split(".")
    nodes = [node for node in module.bindings.get(first, ()) if isinstance(node, ast.AST)]
    node: Optional[ast.AST] = nodes[-1] if nodes else None
    for name in rest:
        body = getattr(node, "body", [])
        node = next((part for part in body if getattr(part, "name", None) == name), None)
    return node


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, but not those of functions and classes inside it."""
    stack: List[ast.AST] = list(getattr(function, "body", []))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))


def is_none(node: Optional[ast.expr]) -> bool:
    """Report whether a returned expression is None or missing."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)

"""Telling code that only imports and defines from code that does something when it is run.

Plain code can be run once more in a process that has imported the same libraries, and nobody sees a difference. Whether
code is plain is told from its syntax; in doubt it is not.
"""

from __future__ import annotations

import ast
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from proa.syntax import imports

#: What returns something new and changes nothing. The name of a module or class stands for all that is in it.
_MAKERS = (
    "abc",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "functools.cache",
    "functools.lru_cache",
    "functools.partial",
    "logging.getLogger",
    "os.getenv",
    "os.path",
    "pathlib",
    "re.compile",
    "torch.inference_mode",
    "torch.no_grad",
    "typing",
    "typing_extensions",
)
#: What changes something in a library, and nothing more when it is called again.
_SETTERS = (
    "logging.basicConfig",
    "matplotlib.use",
    "numpy.random.seed",
    "pandas.set_option",
    "random.seed",
    "torch.manual_seed",
    "warnings.filterwarnings",
    "warnings.simplefilter",
)
#: What of proa asks for something, instead of making it.
_READERS = ("proa.get_run", "proa.get_secret", "proa.step_context")

_BUILTINS = (
    *("bool", "bytes", "classmethod", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "property"),
    *("range", "set", "sorted", "staticmethod", "str", "sum", "tuple"),
)

_DOERS = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_plain(tree: ast.Module) -> bool:
    """Say whether importing a module only imports and defines."""
    return _Plain(tree).all(node for node in tree.body if not _is_guard(node))


def is_plain_until(tree: ast.Module, line: int) -> bool:
    """Say whether a script has only imported and defined when it makes the call that stands in that line.

    The call is a statement at the top of the script, or the first under ``if __name__ == "__main__"``.
    """
    plain = _Plain(tree)
    for node in tree.body:
        if isinstance(node, ast.If) and _is_guard(node):
            return plain.calls(node.body[0], line)
        if _holds(node, line):
            return plain.calls(node, line)
        if not plain.statement(node):
            return False
    return False


def _is_guard(node: ast.stmt) -> bool:
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.test, ast.Compare):
        return False
    left, right = node.test.left, node.test.comparators[-1]
    return (
        isinstance(left, ast.Name)
        and left.id == "__name__"
        and [type(operator) for operator in node.test.ops] == [ast.Eq]
        and isinstance(right, ast.Constant)
        and right.value == "__main__"
    )


def _holds(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


class _Plain:
    """Judges the statements of a module."""

    def __init__(self, tree: ast.Module) -> None:
        #: The dotted name of what each name stands for; None where that isn't known.
        self._names: Dict[str, Optional[str]] = {}
        for node in ast.walk(tree):
            for name, full in _bindings(node):
                self._names[name] = full if self._names.get(name, full) == full else None

    def all(self, nodes: Iterable[ast.stmt]) -> bool:
        return all(self.statement(node) for node in nodes)

    def statement(self, node: ast.stmt) -> bool:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return all(alias.name != "*" for alias in node.names)
        if isinstance(node, _FUNCTIONS):
            return self._decorators(node.decorator_list) and self._expressions([node.args, node.returns])
        if isinstance(node, ast.ClassDef):
            inherits = self._expressions([*node.bases, *node.keywords])
            return inherits and self._decorators(node.decorator_list) and self.all(node.body)
        if isinstance(node, ast.If):
            return self._expressions([node.test]) and self.all([*node.body, *node.orelse])
        if isinstance(node, ast.Try):
            handled = [inner for handler in node.handlers for inner in handler.body]
            return self.all([*node.body, *handled, *node.orelse, *node.finalbody])
        if isinstance(node, ast.Assign):
            return all(_is_name(target) for target in node.targets) and self._expressions([node.value])
        if isinstance(node, ast.AnnAssign):
            return _is_name(node.target) and self._expressions([node.annotation, node.value])
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant) or self._sets(node.value)
        return isinstance(node, ast.Pass)

    def calls(self, node: ast.stmt, line: int) -> bool:
        """Say whether a statement does nothing before the call that it makes in that line."""
        if not _holds(node, line) or not isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)):
            return False
        call = node.value
        if not isinstance(call, ast.Call) or not self._expressions([*call.args, *call.keywords]):
            return False
        target = call.func
        if isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
            if target.func.attr != "with_options" or not self._expressions([*target.args, *target.keywords]):
                return False
            target = target.func.value
        return isinstance(target, (ast.Name, ast.Attribute)) and self._expressions([target])

    def _sets(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and self._full_name(node.func) in _SETTERS
            and self._expressions([*node.args, *node.keywords])
        )

    def _decorators(self, nodes: Sequence[ast.expr]) -> bool:
        """Judge decorators: each is called, with parentheses or without."""
        return all(self._makes(node) or (isinstance(node, ast.Call) and self._expressions([node])) for node in nodes)

    def _expressions(self, nodes: Iterable[Optional[ast.AST]]) -> bool:
        return all(self._expression(part) for node in nodes if node is not None for part in _evaluated(node))

    def _expression(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call):
            return self._makes(node.func)
        return not isinstance(node, _DOERS)

    def _makes(self, function: ast.expr) -> bool:
        """Say whether what is called only returns something new."""
        if isinstance(function, ast.Attribute) and function.attr in ("setter", "deleter"):
            return isinstance(function.value, ast.Name)
        name = self._full_name(function)
        if name is None or name in _READERS:
            return False
        return name in _BUILTINS or any(name == maker or name.startswith(f"{maker}.") for maker in ("proa", *_MAKERS))

    def _full_name(self, node: ast.expr) -> Optional[str]:
        """Return the dotted name of what an expression stands for, if it is imported or built in."""
        attributes: List[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        first = self._names.get(node.id, node.id) if isinstance(node, ast.Name) else None
        return None if first is None else ".".join([first, *reversed(attributes)])


def _bindings(node: ast.AST) -> Iterator[Tuple[str, Optional[str]]]:
    """Yield the names that a node binds, and what for."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        relative = getattr(node, "level", 0) > 0
        for name, imported in imports(node, ""):
            yield name, (None if relative else ".".join(filter(None, imported)))
    elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        yield node.name, None
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, None


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a tree's nodes, but for the body of a lambda, which runs when it is called."""
    stack = [node]
    while stack:
        part = stack.pop()
        yield part
        stack.extend([part.args] if isinstance(part, ast.Lambda) else ast.iter_child_nodes(part))


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(_is_name(part) for part in target.elts)
    return isinstance(target, ast.Name)

"""Which Python values can be parameters: those that are the same after a trip through JSON."""

from __future__ import annotations

import math
from typing import Any, Optional, Tuple


def literal_problem(value: Any) -> Optional[str]:
    """Return what keeps a value from being a parameter ("a set", "nan"), or None. A tuple counts as a list."""
    if value is None or type(value) in (bool, int, str):
        return None
    if type(value) is float:
        return None if math.isfinite(value) else f"the number {value!r}"
    if type(value) in (list, tuple):
        return _first(f"a {type(value).__name__} with ", (literal_problem(item) for item in value))
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                return f"a dict with a key of type {type(key).__name__}"
        return _first("a dict with ", (literal_problem(item) for item in value.values()))
    kind = type(value)
    where = "" if kind.__module__ == "builtins" else kind.__module__ + "."
    article = "an" if not where and kind.__qualname__[0] in "aeiou" else "a"
    return f"{article} {where}{kind.__qualname__}"


def _first(prefix: str, problems: Any) -> Optional[str]:
    for problem in problems:
        if problem:
            return prefix + str(problem)
    return None


def whole_literal(value: Any) -> bool:
    """Report whether a value is exactly the same after a trip through JSON, so that a default can be recorded."""
    if type(value) is list:
        return all(whole_literal(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and whole_literal(item) for key, item in value.items())
    return type(value) is not tuple and literal_problem(value) is None


def contains_handle(value: Any, kinds: Tuple[type, ...]) -> bool:
    """Report whether a list, tuple, set or dict holds one of the kinds."""
    if isinstance(value, dict):
        return any(contains_handle(item, kinds) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(contains_handle(item, kinds) for item in value)
    return isinstance(value, kinds)

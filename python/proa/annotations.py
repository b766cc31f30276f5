"""Reading a step's annotations: its outputs, and whether a value fits a type.

Nothing here imports :mod:`inspect`: the runner starts once per step, and every import counts.
"""

from __future__ import annotations

import numbers
import re
import sys
import typing
from types import SimpleNamespace
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from proa.errors import PipelineError

if sys.version_info >= (3, 10):
    from types import UnionType as _UnionType
else:
    _UnionType = None

_OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


class Declared(NamedTuple):
    """One declared output."""

    name: str
    annotation: Any


class Outputs(NamedTuple):
    """What a step declares to return. ``packed`` says that it returns a tuple, one element for each output."""

    declared: Tuple[Declared, ...]
    packed: bool


def annotation_of(function: Callable[..., Any], name: str, step: str) -> Any:
    """Return the annotation of an argument (or of "return"), resolved if it is a string; None if there is none."""
    annotations = getattr(function, "__annotations__", {})
    if name not in annotations:
        return None
    holder = SimpleNamespace(__annotations__={name: annotations[name]})
    try:
        hints = typing.get_type_hints(holder, getattr(function, "__globals__", {}), include_extras=True)
    except Exception as error:
        what = "return annotation" if name == "return" else f"annotation of argument {name!r}"
        raise PipelineError(
            f"step {step!r}: its {what} can't be evaluated: {error}; "
            "import what it names at the top of the module, outside of `if TYPE_CHECKING`"
        ) from error
    return hints[name]


def argument_annotation(function: Callable[..., Any], name: str) -> Any:
    """Return the annotation of an argument, resolved if it can be; None if there is none."""
    try:
        return annotation_of(function, name, "")
    except PipelineError:
        return None


def declared_outputs(function: Callable[..., Any], step: str) -> Outputs:
    """Return the outputs that a step function declares; none if its return is not annotated or None."""
    annotation = annotation_of(function, "return", step)
    if annotation is None or annotation is type(None):
        return Outputs((), False)
    parts = _tuple_parts(annotation)
    if parts is None:
        return Outputs((_declared(annotation, "output", step),), False)
    declared = tuple(_declared(part, f"output_{i}", step) for i, part in enumerate(parts))
    names = [output.name for output in declared]
    for name in names:
        if names.count(name) > 1:
            raise PipelineError(f"step {step!r} has two outputs named {name!r}; give each a name of its own")
    return Outputs(declared, True)


def _tuple_parts(annotation: Any) -> Optional[Tuple[Any, ...]]:
    """Return the element types if the annotation is a tuple of outputs, and None if it is a single output."""
    if typing.get_origin(annotation) is not tuple:
        return None
    parts = typing.get_args(annotation)
    if not parts or parts == ((),) or Ellipsis in parts:
        return None
    return parts


def _declared(annotation: Any, default: str, step: str) -> Declared:
    metadata = getattr(annotation, "__metadata__", None)
    if metadata is None:
        return Declared(default, annotation)
    names = [item for item in metadata if isinstance(item, str)]
    name = names[0] if names else default
    if not _OUTPUT_NAME.match(name):
        raise PipelineError(
            f"step {step!r} has an output named {name!r}; "
            "a name begins with a letter or _ and goes on with letters, digits, _, - and ."
        )
    return Declared(name, annotation.__origin__)


def concrete(annotation: Any) -> Optional[type]:
    """Return the class that an annotation stands for, or None if it stands for more than one."""
    if getattr(annotation, "__metadata__", None) is not None:
        annotation = annotation.__origin__
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type) and origin not in (object, Any, _UnionType):
        return origin
    return None


def fits(value: Any, annotation: Any) -> bool:
    """Report whether a value may be returned for an annotation. Elements of containers are not looked at."""
    if annotation is None or annotation is Any:
        return True
    if getattr(annotation, "__metadata__", None) is not None:
        return fits(value, annotation.__origin__)
    origin = typing.get_origin(annotation)
    if origin is typing.Union or (_UnionType is not None and origin is _UnionType):
        return any(fits(value, part) for part in typing.get_args(annotation))
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    wanted = concrete(annotation)
    if wanted is None:
        return True
    if wanted is float or wanted is int:
        tower = numbers.Real if wanted is float else numbers.Integral
        return isinstance(value, tower) and not isinstance(value, bool)
    if wanted is bool:
        return isinstance(value, bool) or _is_numpy_bool(value)
    if getattr(wanted, "_is_protocol", False):
        return True
    try:
        return isinstance(value, wanted)
    except TypeError:  # a TypedDict, for one, can't be asked
        return True


def converted(value: Any, annotation: Any) -> Any:
    """Return the value as the plain type that it is annotated with: a float for a numpy float or an int, say."""
    wanted = concrete(annotation)
    if wanted is None or type(value) is wanted:
        return value
    if wanted is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    if wanted is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if wanted is bool and _is_numpy_bool(value):
        return bool(value)
    if wanted in (tuple, set, frozenset) and isinstance(value, list):
        return wanted(value)
    return value


def _is_numpy_bool(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")


def type_name(kind: Any) -> str:
    """Return "module.qualname" of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def show(annotation: Any) -> str:
    """Return an annotation as a person would write it."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        prefix = "" if annotation.__module__ == "builtins" else annotation.__module__ + "."
        return prefix + annotation.__qualname__
    return str(annotation).replace("typing.", "")


def names_of(outputs: Outputs) -> List[str]:
    """Return the names of the declared outputs, in order."""
    return [output.name for output in outputs.declared]

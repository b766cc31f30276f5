"""What settings objects have in common: they are made from mappings, shown, and written down without what isn't set."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence

from proa.errors import PipelineError, nearest


def made(kind: Any, value: Any, what: str) -> Any:
    """Return value as an instance of kind, made from a mapping if it is one."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise PipelineError(
            f"{what}: {value!r} is of type {type(value).__name__}; write {kind.__name__}(...) or a dict"
        )
    names = [name for name in kind.__init__.__annotations__ if name != "return"]
    known(value, names, what)
    try:
        return kind(**value)
    except TypeError as error:
        raise PipelineError(f"{what}: {error}") from error


def known(given: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """Raise if a mapping has a key that is not one of the names."""
    for key in given:
        if key not in names:
            raise PipelineError(f"{what}: unknown key {key!r}; {nearest(str(key), names)}")


def filled(**fields: Any) -> Dict[str, Any]:
    """Return the fields that are set."""
    return {name: value for name, value in fields.items() if value is not None}


def show(value: Any) -> str:
    """Return an object as it is written, without what isn't set."""
    fields = ", ".join(f"{name}={field!r}" for name, field in vars(value).items() if field is not None)
    return f"{type(value).__name__}({fields})"

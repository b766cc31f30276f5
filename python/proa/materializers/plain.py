"""Plain values and dataclasses, as JSON that keeps what JSON doesn't have: tuples, sets, bytes, nan, other keys."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Callable, Dict

from proa.errors import MaterializerError
from proa.materializers.base import Materializer, one_line

_TAG = "$proa"
_FILE = "value.json"


class Unsupported(Exception):
    """The value holds something that has no plain form."""


class _Plain(Materializer):
    def can_save(self, value: Any) -> bool:
        """Report whether a value has a plain form."""
        try:
            encode(value)
        except (Unsupported, RecursionError):
            return False
        return True

    def save(self, value: Any, path: Path) -> None:
        try:
            plain = encode(value)
        except Unsupported as error:
            raise MaterializerError(
                f"{error} has no plain form; give the output a materializer that knows it"
            ) from None
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        (path / _FILE).write_bytes(text.encode("utf-8", "surrogatepass"))

    def load(self, path: Path, type: Any) -> Any:
        return decode(json.loads((path / _FILE).read_bytes().decode("utf-8", "surrogatepass")))


class PlainMaterializer(_Plain):
    """None, bool, int, float, str, and lists, dicts, tuples and sets of these."""

    def preview(self, value: Any) -> str:
        if isinstance(value, (list, dict, tuple, set, frozenset)) and len(value) > 20:
            return f"{type(value).__name__} of {len(value)}"
        return one_line(repr(value))


class DataclassMaterializer(_Plain):
    """Dataclasses whose fields are plain values or such dataclasses."""

    def preview(self, value: Any) -> str:
        return one_line(repr(value))

    def load(self, path: Path, type: Any) -> Any:
        document = json.loads((path / _FILE).read_bytes().decode("utf-8", "surrogatepass"))
        fields = {name: decode(item) for name, item in document["fields"].items()}
        return rebuilt(type if hasattr(type, "__dataclass_fields__") else _class(document["type"]), fields)


def encode(value: Any) -> Any:
    """Return a value as JSON knows it."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [encode(item) for item in value]
    if kind is dict:
        if all(type(key) is str for key in value) and _TAG not in value:
            return {key: encode(item) for key, item in value.items()}
        return {_TAG: "dict", "items": [[encode(key), encode(item)] for key, item in value.items()]}
    if kind is tuple:
        return {_TAG: "tuple", "items": [encode(item) for item in value]}
    if kind in (set, frozenset):
        items = sorted((encode(item) for item in value), key=lambda item: (str(type(item)), json.dumps(item)))
        return {_TAG: kind.__name__, "items": items}
    if kind is bytes:
        return {_TAG: "bytes", "base64": b64encode(value).decode("ascii")}
    if "__dataclass_fields__" in vars(kind):
        fields = {name: encode(getattr(value, name)) for name in kind.__dataclass_fields__ if hasattr(value, name)}
        return {_TAG: "dataclass", "type": f"{kind.__module__}:{kind.__qualname__}", "fields": fields}
    raise Unsupported(f"a value of type {kind.__module__}.{kind.__qualname__}")


_SEQUENCES: Dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def decode(value: Any) -> Any:
    """Return the value that :func:`encode` was given."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: decode(item) for key, item in value.items()}
    if tag == "dict":
        return {decode(key): decode(item) for key, item in value["items"]}
    if tag == "bytes":
        return b64decode(value["base64"])
    if tag == "dataclass":
        fields = {name: decode(item) for name, item in value["fields"].items()}
        return rebuilt(_class(value["type"]), fields)
    return _SEQUENCES[tag](decode(item) for item in value["items"])


def rebuilt(kind: Any, fields: Dict[str, Any]) -> Any:
    """Return an instance with these fields, as unpickling would make it: without calling ``__init__``."""
    value = object.__new__(kind)
    for name, item in fields.items():
        object.__setattr__(value, name, item)
    return value


def _class(name: str) -> Any:
    from importlib import import_module

    module, _, qualname = name.partition(":")
    try:
        found: Any = import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise MaterializerError(f"dataclass {name} can't be imported: {error}") from error
    return found

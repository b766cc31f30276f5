"""Which materializer a type has. Libraries are recognised by name, so that none is imported to find out."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Type

from proa.errors import MaterializerError
from proa.materializers.base import Materializer, registered

_PLAIN = "proa.materializers.plain:PlainMaterializer"
_NUMPY = "proa.materializers.arrays:ArrayMaterializer"
_PANDAS = "proa.materializers.frames:FrameMaterializer"
_DATACLASS = "proa.materializers.plain:DataclassMaterializer"

#: By the first part of a class's module, and its qualified name.
_BUILT_IN: Dict[Tuple[str, str], str] = {
    **{("builtins", name): _PLAIN for name in ("NoneType", "bool", "int", "float", "str")},
    **{("builtins", name): _PLAIN for name in ("list", "dict", "tuple", "set", "frozenset")},
    ("builtins", "bytes"): "proa.materializers.files:BytesMaterializer",
    ("pathlib", "PurePath"): "proa.materializers.files:PathMaterializer",
    ("numpy", "ndarray"): _NUMPY,
    ("numpy", "generic"): _NUMPY,
    ("pandas", "DataFrame"): _PANDAS,
    ("pandas", "Series"): _PANDAS,
    ("pandas", "Index"): _PANDAS,
    ("sklearn", "BaseEstimator"): "proa.materializers.pickled:EstimatorMaterializer",
}

#: What is saved for types that nothing else knows.
FALL_BACK = "proa.materializers.pickled:PickleMaterializer"


def custom_materializer(kind: type) -> Optional[Type[Materializer]]:
    """Return the user's materializer for a type, unless a built-in one is nearer."""
    found = next(_candidates(kind), None)
    return found if isinstance(found, type) else None


def materializer_for(value: Any) -> str:
    """Return "module:Class" of the materializer to save a value with."""
    for found in _candidates(type(value)):
        if isinstance(found, type):
            return f"{found.__module__}:{found.__qualname__}"
        if named_materializer(found).can_save(value):
            return str(found)
    return FALL_BACK


def _candidates(kind: type) -> Iterator[Any]:
    """Yield the materializer classes and built-in names for a type, the nearest in its class order first."""
    for base in kind.__mro__:
        if base in registered:
            yield registered[base]
        name = _BUILT_IN.get((base.__module__.split(".")[0], base.__qualname__))
        if name is not None:
            yield name
        if "__dataclass_fields__" in vars(base):
            yield _DATACLASS


def named_materializer(name: str, load: Callable[[str], Any] = import_module) -> Any:
    """Return an instance of the materializer "module:Class"; load imports a module by name."""
    module, _, qualname = name.partition(":")
    try:
        found: Any = load(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise MaterializerError(
            f"materializer {name} can't be imported: {error}; it must be in a module that is importable where the "
            "value is loaded"
        ) from error
    return found()

"""Numpy arrays and scalars, in numpy's own file format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proa.materializers.base import Materializer, one_line


class ArrayMaterializer(Materializer):
    """Arrays (``array.npy``) and scalars (``scalar.npy``)."""

    def can_save(self, value: Any) -> bool:
        """Report whether numpy's format keeps the value: not for subclasses, nor for arrays of objects."""
        import numpy

        if isinstance(value, numpy.generic):
            return not value.dtype.hasobject and type(value) is not numpy.void
        return type(value) in (numpy.ndarray, numpy.memmap) and not value.dtype.hasobject

    def save(self, value: Any, path: Path) -> None:
        import numpy

        name = "scalar.npy" if isinstance(value, numpy.generic) else "array.npy"
        numpy.save(path / name, numpy.asarray(value), allow_pickle=False)

    def load(self, path: Path, type: Any) -> Any:
        import numpy

        if (path / "scalar.npy").exists():
            return numpy.load(path / "scalar.npy", allow_pickle=False)[()]
        return numpy.load(path / "array.npy", allow_pickle=False)

    def preview(self, value: Any) -> str:
        import numpy

        if isinstance(value, numpy.generic):
            return one_line(str(value))
        return one_line(f"ndarray {value.shape} {value.dtype}")

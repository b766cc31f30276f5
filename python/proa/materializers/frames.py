"""Pandas frames, series and indexes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from proa.materializers.base import Materializer, one_line
from proa.materializers.pickled import read_pickle, write_pickle


class FrameMaterializer(Materializer):
    """Frames as Parquet if pyarrow is installed and the frame survives it unchanged; all else as pickle.

    The first rows of a frame lie beside it as ``head.csv``.
    """

    def can_save(self, value: Any) -> bool:
        """Report whether it is of one of pandas' own classes."""
        return type(value).__module__.split(".")[0] == "pandas"

    def save(self, value: Any, path: Path) -> None:
        if _fits_parquet(value):
            value.to_parquet(path / "frame.parquet", engine="pyarrow")
        else:
            write_pickle(value, path / "frame.pickle")
        _write_head(value, path / "head.csv")

    def load(self, path: Path, type: Any) -> Any:
        parquet = path / "frame.parquet"
        if not parquet.exists():
            return read_pickle(path / "frame.pickle")
        if find_spec("pyarrow") is None:
            from proa.errors import MaterializerError

            raise MaterializerError(
                "the frame was saved as Parquet, because pyarrow was installed there; install pyarrow here too"
            )
        import pandas

        return pandas.read_parquet(parquet, engine="pyarrow")

    def preview(self, value: Any) -> str:
        kind = type(value).__name__
        if len(value.shape) == 2:
            return f"{kind} {value.shape[0]}x{value.shape[1]}"
        return one_line(f"{kind} of {len(value)} {value.dtype}")


def _write_head(value: Any, file: Path) -> None:
    """Write the first rows and columns of a frame for people to look at. Nothing reads them again."""
    if len(value.shape) != 2:
        return
    try:
        file.write_text(value.iloc[:10, :12].to_csv(), encoding="utf-8", errors="replace")
    except Exception:
        file.unlink(missing_ok=True)  # some of its values can't be written as text


def _fits_parquet(value: Any) -> bool:
    """Report whether Parquet gives back exactly this value. Checked by columns' types, not by trying."""
    import pandas

    if type(value) is not pandas.DataFrame or find_spec("pyarrow") is None or value.attrs:
        return False
    if type(value.columns) is not pandas.Index or not value.columns.is_unique or value.columns.name is not None:
        return False
    if type(value.index) is not pandas.RangeIndex:
        return False
    return all(type(name) is str for name in value.columns) and all(map(_fits_dtype, value.dtypes))


def _fits_dtype(dtype: Any) -> bool:
    import numpy

    return isinstance(dtype, numpy.dtype) and (dtype.kind in "biu" or dtype in (numpy.float32, numpy.float64))

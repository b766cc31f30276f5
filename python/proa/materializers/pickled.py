"""Pickle: scikit-learn's own way to keep estimators, and the last resort for everything unknown."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from proa.errors import MaterializerError
from proa.materializers.base import Materializer, one_line

#: Fixed, so that equal values give equal bytes in every version of Python.
_PROTOCOL = 5


class PickleMaterializer(Materializer):
    """Any value, by cloudpickle if it is installed, else by pickle."""

    def can_save(self, value: Any) -> bool:
        """Report that it tries everything."""
        return True

    def save(self, value: Any, path: Path) -> None:
        if find_spec("cloudpickle") is None:
            write_pickle(value, path / "value.pickle")
            return
        import cloudpickle

        try:
            (path / "value.cloudpickle").write_bytes(cloudpickle.dumps(value, protocol=_PROTOCOL))
        except Exception as error:
            raise _refused(value, error) from error

    def load(self, path: Path, type: Any) -> Any:
        cloud = path / "value.cloudpickle"
        if not cloud.exists():
            return read_pickle(path / "value.pickle")
        if find_spec("cloudpickle") is None:
            raise MaterializerError("the value was saved with cloudpickle; install cloudpickle where it is loaded")
        return read_pickle(cloud)


class EstimatorMaterializer(Materializer):
    """Estimators of scikit-learn, and of libraries that follow it."""

    def can_save(self, value: Any) -> bool:
        """Report that pickle is the way for all of them."""
        return True

    def save(self, value: Any, path: Path) -> None:
        write_pickle(value, path / "estimator.pickle")

    def load(self, path: Path, type: Any) -> Any:
        return read_pickle(path / "estimator.pickle")

    def preview(self, value: Any) -> str:
        return one_line(repr(value))


def write_pickle(value: Any, path: Path) -> None:
    """Pickle a value to a file."""
    try:
        with path.open("wb") as file:
            pickle.dump(value, file, protocol=_PROTOCOL)
    except Exception as error:
        raise _refused(value, error) from error


def read_pickle(path: Path) -> Any:
    """Return the value that was pickled to a file."""
    try:
        with path.open("rb") as file:
            return pickle.load(file)
    except (ImportError, AttributeError) as error:
        raise MaterializerError(
            f"the pickled value can't be loaded: {error}; the same libraries, in like versions, must be installed "
            "where a value is saved and where it is loaded"
        ) from error


def _refused(value: Any, error: Exception) -> MaterializerError:
    kind = type(value)
    return MaterializerError(
        f"a value of type {kind.__module__}.{kind.__qualname__} can't be pickled: {error}; "
        "write a materializer for it (a class derived from proa.Materializer)"
    )

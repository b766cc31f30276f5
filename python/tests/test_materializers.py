"""Values survive being saved and loaded, and equal values give equal bytes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from proa.errors import MaterializerError
from proa.loading import resolve_type
from proa.materializers import materializer_for, named_materializer
from tests.project import SDK


@dataclass(frozen=True)
class Inner:
    low: float


@dataclass
class Metrics:
    accuracy: float
    inner: Inner
    names: List[str] = field(default_factory=list)


@dataclass
class Opaque:
    value: Any


class Unknown:
    def __init__(self, value: int) -> None:
        self.value = value


class Number(int):
    pass


def trip(value: Any, folder: Path) -> Any:
    name = materializer_for(value)
    materializer = named_materializer(name)
    folder.mkdir(exist_ok=True)
    materializer.save(value, folder)
    return named_materializer(name).load(folder, resolve_type(materializer.type_name(value)))


def files(folder: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


PLAIN = [
    None,
    True,
    0,
    -(2**70),
    1.0,
    0.1,
    math.inf,
    "",
    "ä\n\ud800",
    [],
    [1, [2.0, None]],
    {"a": 1, "$proa": "x"},
    {1: "a", (1, 2): {3}},
    (1, (2,)),
    {3, 1, 2},
    frozenset({"a"}),
    {"bytes": b"\x00\xff"},
    Metrics(0.5, Inner(math.inf), ["a"]),
    [Inner(1.0)],
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain(value: Any, tmp_path: Path) -> None:
    assert materializer_for(value).startswith("proa.materializers.plain:")
    loaded = trip(value, tmp_path)
    assert loaded == value and type(loaded) is type(value)
    assert list(files(tmp_path)) == ["value.json"]


def test_nan_and_order_are_kept(tmp_path: Path) -> None:
    loaded = trip({"b": math.nan, "a": -0.0}, tmp_path)
    assert list(loaded) == ["b", "a"] and math.isnan(loaded["b"]) and math.copysign(1, loaded["a"]) == -1


@pytest.mark.parametrize(
    "value", [np.float64(0.5), np.int8(3), np.str_("a"), np.bool_(True), np.datetime64("2026-01-01")]
)
def test_numpy_scalars(value: Any, tmp_path: Path) -> None:
    loaded = trip(value, tmp_path)
    assert loaded == value and type(loaded) is type(value)
    assert list(files(tmp_path)) == ["scalar.npy"]


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.ones((2, 3), dtype=np.float32)),
        np.arange(10)[::2],
        np.array([], dtype="U3"),
        np.array(5),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    ],
    ids=repr,
)
def test_numpy_arrays(value: Any, tmp_path: Path) -> None:
    loaded = trip(value, tmp_path)
    assert loaded.dtype == value.dtype and loaded.shape == value.shape and (loaded == value).all()
    assert list(files(tmp_path)) == ["array.npy"]


@pytest.mark.parametrize(
    "value", [np.array([{}, None], dtype=object), np.ma.masked_array([1, 2], mask=[0, 1]), np.matrix([[1]])], ids=repr
)
def test_numpy_values_that_its_format_would_change_are_pickled(value: Any, tmp_path: Path) -> None:
    loaded = trip(value, tmp_path)
    assert type(loaded) is type(value) and repr(loaded) == repr(value)
    assert list(files(tmp_path)) == ["value.cloudpickle"]


def test_the_first_rows_of_a_frame_are_beside_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({f"c{i}": range(100) for i in range(30)})
    named_materializer(materializer_for(frame)).save(frame, tmp_path)
    head = (tmp_path / "head.csv").read_text().splitlines()
    assert len(head) == 11 and head[1] == "0" + ",0" * 12
    series = pd.Series([1, 2])
    (tmp_path / "series").mkdir()
    named_materializer(materializer_for(series)).save(series, tmp_path / "series")
    assert not (tmp_path / "series" / "head.csv").exists()


FRAMES = [
    pd.DataFrame({"0": [1.0, 2.0], "1": [3, 4]}),
    pd.DataFrame({"a": ["x", None], "b": pd.to_datetime(["2026-01-01", None])}),
    pd.DataFrame({("a", 1): [1]}, index=pd.Index(["r"], name="row")),
    pd.DataFrame({"c": pd.Categorical(["x", "y", "x"])}),
    pd.DataFrame(),
]


@pytest.mark.parametrize("value", FRAMES, ids=range(len(FRAMES)))
def test_frames(value: pd.DataFrame, tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(trip(value, tmp_path), value)


def test_series_and_indexes(tmp_path: Path) -> None:
    series = pd.Series([1.5, None], name="s")
    pd.testing.assert_series_equal(trip(series, tmp_path / "series"), series)
    index = pd.date_range("2026-01-01", periods=3)
    pd.testing.assert_index_equal(trip(index, tmp_path / "index"), index)


def test_estimators(tmp_path: Path) -> None:
    model = SVC(gamma=0.01).fit([[0.0], [1.0]], [0, 1])
    assert materializer_for(model) == "proa.materializers.pickled:EstimatorMaterializer"
    assert trip(model, tmp_path).predict([[0.9]]) == [1]
    assert materializer_for(LogisticRegression()) == materializer_for(model)


def test_bytes(tmp_path: Path) -> None:
    assert trip(b"\x00a", tmp_path) == b"\x00a"
    assert files(tmp_path) == {"value.bin": b"\x00a"}


def test_files(tmp_path: Path) -> None:
    source = tmp_path / "report.sh"
    source.write_text("text")
    source.chmod(0o755)
    loaded = trip(source, tmp_path / "artifact")
    assert loaded.name == "report.sh" and loaded.read_text() == "text"
    assert loaded.stat().st_mode & 0o777 == 0o555


def test_folders(tmp_path: Path) -> None:
    source = tmp_path / "model"
    (source / "empty").mkdir(parents=True)
    (source / "deep").mkdir()
    (source / "deep" / "weights").write_bytes(b"1")
    loaded = trip(source, tmp_path / "artifact")
    assert loaded.name == "model" and (loaded / "empty").is_dir()
    assert (loaded / "deep" / "weights").read_bytes() == b"1"
    assert not (loaded / "deep" / "weights").stat().st_mode & 0o222


@pytest.mark.parametrize(
    "value", [Unknown(3), {"array": np.ones(2)}, Opaque(Unknown(4)), Number(5), lambda: 6], ids=str
)
def test_the_last_resort(value: Any, tmp_path: Path) -> None:
    assert materializer_for(value) == "proa.materializers.pickled:PickleMaterializer"
    loaded = trip(value, tmp_path)
    assert type(loaded) is type(value)


def test_what_cannot_be_pickled_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match=r"can't be pickled: .*; write a materializer for it"):
        trip(sys.stdout, tmp_path)


VALUES = """
import sys
from pathlib import Path
sys.path.insert(0, {sdk!r})
import numpy, pandas
from sklearn.svm import SVC
from sklearn.datasets import load_digits
from proa.materializers import materializer_for, named_materializer
digits = load_digits()
names = ["n%d" % i for i in range(64)]
values = dict(
    plain={{"set": set("some letters"), "frozen": frozenset(range(50)), "tuple": (1.5, None)}},
    array=digits.images,
    frame=pandas.DataFrame(digits.data, columns=names),
    text=pandas.DataFrame({{"a": ["x", "y"] * 50, "b": range(100)}}),
    series=pandas.Series(digits.target, name="t"),
    model=SVC(gamma=0.001).fit(digits.data[:200], digits.target[:200]),
    mixed={{"a": numpy.ones(3), "b": [numpy.zeros(2)]}},
)
for name, value in values.items():
    folder = Path(sys.argv[1], name)
    folder.mkdir()
    named_materializer(materializer_for(value)).save(value, folder)
"""


def test_equal_values_give_equal_bytes_in_other_processes(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        command = [sys.executable, "-c", VALUES.format(sdk=str(SDK)), str(folder)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=120)
        written.append(files(folder))
    different = [name for name in written[0] if written[0][name] != written[1][name]]
    assert not different and written[0].keys() == written[1].keys()


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (np.zeros((898, 64)), "ndarray (898, 64) float64"),
        (np.float64(0.97), "0.97"),
        (pd.DataFrame(np.zeros((899, 64))), "DataFrame 899x64"),
        (pd.Series([1, 2]), "Series of 2 int64"),
        (0.97, "0.97"),
        ("a\nb" * 60, "'a\\nba\\nb"),
        (list(range(100)), "list of 100"),
        (b"abc", "3 bytes"),
        (SVC(gamma=0.001), "SVC(gamma=0.001)"),
        (Metrics(0.5, Inner(1.0)), "Metrics(accuracy=0.5, inner=Inner(low=1.0), names=[])"),
        (Unknown(1), "Unknown"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_previews(value: Any, want: str) -> None:
    preview = named_materializer(materializer_for(value)).preview(value)
    assert preview.startswith(want) and len(preview) <= 80 and "\n" not in preview

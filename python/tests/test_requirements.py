"""Requirements files are expanded into specifiers."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.errors import PipelineError
from proa.requirements import expand


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "main.txt"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", []),
        ("# only\n\n  # comments\n", []),
        ("six\nidna==3.7 # why\n", ["six", "idna==3.7"]),
        ("a @ https://host/a.whl#sha256=1\n", ["a @ https://host/a.whl#sha256=1"]),
        ("six\\\n ==1.16 \\\n  --hash=sha256:1\n", ["six ==1.16 --hash=sha256:1"]),
        ("six\r\nidna\r\n", ["six", "idna"]),
        ("\ufeffsix\n", ["six"]),
        ("six\nsix\n", ["six"]),
        ("six \\", ["six"]),
        ('six; python_version < "3"  ', ['six; python_version < "3"']),
    ],
)
def test_lines(tmp_path: Path, text: str, want: list[str]) -> None:
    assert expand(write(tmp_path, main=text)) == want


@pytest.mark.parametrize(
    "option", ["-r other.txt", "-rother.txt", "--requirement other.txt", "--requirement=other.txt"]
)
def test_includes(tmp_path: Path, option: str) -> None:
    assert expand(write(tmp_path, main=f"a\n{option}\nc\n", other="b\n")) == ["a", "b", "c"]


def test_a_cycle_of_includes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"in a cycle: .*main\.txt -> .*other\.txt -> .*main\.txt"):
        expand(write(tmp_path, main="-r other.txt", other="-r main.txt"))


def test_options_are_errors_that_name_the_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"main\.txt:2: the option --index-url has no meaning"):
        expand(write(tmp_path, main="six\n--index-url=https://user:secret@host\n"))


def test_options_with_secrets_are_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        expand(write(tmp_path, main="--index-url=https://user:hunter2@host\n"))
    assert "hunter2" not in str(caught.value)


def test_a_missing_include_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"missing\.txt \(included by .*main\.txt\) can't be read: No such file"):
        expand(write(tmp_path, main="-r missing.txt"))

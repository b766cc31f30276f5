"""Requirements files become lines that say what is installed, within which bounds and where from."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.errors import PipelineError
from proa.requirements import Requirements


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "main.txt"


def read(folder: Path, **files: str) -> Requirements:
    wanted = Requirements(folder.resolve())
    wanted.read(write(folder, **files))
    return wanted


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
        (
            "wheels/six-1.whl\n./wheels/six-2.whl --hash=sha256:1",
            ["./wheels/six-1.whl", "./wheels/six-2.whl --hash=sha256:1"],
        ),
        ("/elsewhere/six-1.whl", ["/elsewhere/six-1.whl"]),
        ("six @ file:///elsewhere/s%2Bix-1.whl ; x --hash=sha256:1", ["/elsewhere/s+ix-1.whl ; x --hash=sha256:1"]),
        ("six[a] @ file://localhost/elsewhere/six-1.whl", ["/elsewhere/six-1.whl"]),
        ("six @ file:///my%20own/six-1.whl", ["six @ file:///my%20own/six-1.whl"]),
    ],
)
def test_lines(tmp_path: Path, text: str, want: list[str]) -> None:
    assert read(tmp_path, main=text).specifiers == want


@pytest.mark.parametrize(
    "option", ["-r other.txt", "-rother.txt", "--requirement other.txt", "--requirement=other.txt"]
)
def test_includes(tmp_path: Path, option: str) -> None:
    assert read(tmp_path, main=f"a\n{option}\nc\n", other="b\n").specifiers == ["a", "b", "c"]


@pytest.mark.parametrize(
    "option", ["-c bounds.txt", "-cbounds.txt", "--constraint bounds.txt", "--constraint=bounds.txt"]
)
def test_constraints(tmp_path: Path, option: str) -> None:
    wanted = read(tmp_path, main=f"a\n{option}\n", bounds="b<2\n-r more.txt\n", more="c<3\n")
    assert (wanted.specifiers, wanted.constraints) == (["a"], ["b<2", "c<3"])


def test_a_cycle_of_includes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"in a cycle: .*main\.txt -> .*other\.txt -> .*main\.txt"):
        read(tmp_path, main="-r other.txt", other="-r main.txt")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("-i https://host/simple", "--index-url https://host/simple"),
        ("--index-url=https://host/simple", "--index-url https://host/simple"),
        ("--extra-index-url https://ada:${TOKEN}@host/simple", "--extra-index-url https://ada:${TOKEN}@host/simple"),
        ("--extra-index-url https://${TOKEN}@host/simple", "--extra-index-url https://${TOKEN}@host/simple"),
        ("-f wheels", "--find-links ./wheels"),
        ("--find-links https://host/wheels", "--find-links https://host/wheels"),
        ("--find-links ${WHEELS}", "--find-links ${WHEELS}"),
        ("--no-index", "--no-index"),
    ],
)
def test_index_options(tmp_path: Path, text: str, want: str) -> None:
    wanted = read(tmp_path, main=f"six\n{text}\n")
    assert (wanted.specifiers, wanted.index_options) == (["six"], [want])


def test_other_options_are_arguments(tmp_path: Path) -> None:
    wanted = read(tmp_path, main="--pre\n--trusted-host host\n--prefer-binary\nsix")
    assert wanted.arguments == ["--prerelease=allow", "--allow-insecure-host", "host"]


@pytest.mark.parametrize("option", ["--global-option=x", "--no-binary :all:"])
def test_options_without_meaning_are_errors_that_name_the_line(tmp_path: Path, option: str) -> None:
    with pytest.raises(
        PipelineError, match=rf"main\.txt:2: the option {option.split('=')[0].split()[0]} has no meaning"
    ):
        read(tmp_path, main=f"six\n{option}\n")


@pytest.mark.parametrize("line", [".", "./package", "-e .", "../package", ".[extra]"])
def test_folders_are_errors_that_name_the_way_out(tmp_path: Path, line: str) -> None:
    with pytest.raises(PipelineError, match=r"build (one|a wheel)"):
        read(tmp_path, main=line)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url=https://ada:hunter2@host",
        "--extra-index-url https://hunter2@host/simple",
        "six @ https://ada:hunter2@host/six.whl",
        "--index-url https://${USER}:hunter2@host",
    ],
)
def test_passwords_are_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    with pytest.raises(PipelineError, match="holds a password") as caught:
        read(tmp_path, main=line)
    assert "hunter2" not in str(caught.value)


def test_require_hashes(tmp_path: Path) -> None:
    assert read(tmp_path, main="--require-hashes\nsix==1 --hash=sha256:1").specifiers
    with pytest.raises(PipelineError, match="'idna==1' has no hash"):
        read(tmp_path, main="--require-hashes\nsix==1 --hash=sha256:1\nidna==1")


def test_a_missing_include_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"missing\.txt \(included by .*main\.txt\) can't be read: No such file"):
        read(tmp_path, main="-r missing.txt")

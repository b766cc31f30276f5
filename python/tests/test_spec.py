"""Pipelines become specs: golden files, shared with the Go tests, and what they don't show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict

import pytest

from tests.project import HERE, Project

GOLDEN = HERE.parent.parent / "spec" / "testdata"
DIGITS = HERE.parent.parent / "examples" / "digits"


def compare(spec: Dict[str, Any], name: str, update: bool) -> None:
    """Compare a spec with its golden file, but for where it was written and by which Python."""
    assert Path(spec["source"]["root"]).is_absolute() and Path(spec["source"]["interpreter"]).is_file()
    spec["source"].update(root="/project", python="3.11.7", interpreter="/usr/bin/python3")
    text = json.dumps(spec, indent=2, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path} differs; run pytest --update if it should"


@pytest.mark.parametrize("name", ["minimal", "diamond", "every_field", "images"])
def test_golden(project: Project, name: str, request: pytest.FixtureRequest) -> None:
    for path in (HERE / "pipelines").glob(f"{name}*"):
        shutil.copy(path, project.root)
    compare(project.spec(f"{name}.py"), name, request.config.getoption("--update"))


def test_golden_digits(lab: Project, request: pytest.FixtureRequest) -> None:
    shutil.copytree(DIGITS, lab.root, dirs_exist_ok=True)
    compare(lab.spec(), "digits", request.config.getoption("--update"))


def test_root_is_the_folder_with_proa(project: Project) -> None:
    (project.root / ".proa").mkdir()
    project.write(
        jobs__run="""
            from helpers import answer
            from proa import pipeline
            @pipeline
            def p():
                answer()
            p()
        """,
        jobs__helpers="""
            from proa import step
            @step
            def answer() -> int:
                return 42
        """,
    )
    spec = project.spec("jobs/run.py")
    assert spec["source"]["root"] == str(project.root.resolve())
    assert spec["source"]["main"] == "jobs/run.py"
    assert spec["steps"][0]["run"]["python"]["source"] == "jobs.helpers:answer"


def test_run_as_a_module(project: Project) -> None:
    project.write(
        pkg____init__="",
        pkg__run="""
            from proa import pipeline, step
            from .steps import answer
            @step
            def own() -> int:
                return 1
            @pipeline
            def p():
                own(), answer()
            p()
        """,
        pkg__steps="""
            from proa import step
            @step
            def answer() -> int:
                return 42
        """,
    )
    (project.root / "pkg" / "__init__.py").touch()
    path = project.root / "spec.out"
    done = project.run(["-m", "pkg.run"], PROA_SPEC_ONLY=str(path))
    assert done.returncode == 0, done.stderr
    spec = json.loads(path.read_bytes())
    assert [step["run"]["python"]["source"] for step in spec["steps"]] == ["pkg.run:own", "pkg.steps:answer"]


def test_parameters_stay_what_they_are(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step
            @step
            def s(a, b, c, d=(1, 2), e=None, f=float("nan"), g=1):
                pass
            @pipeline
            def p(x, y="z"):
                s(1, 1.0, (1, "ü"), e=None)
            p(True)
        """
    )
    spec = project.spec()
    assert spec["parameters"] == {"x": True, "y": "z"}
    given = spec["steps"][0]["parameters"]
    assert given == {"a": 1, "b": 1.0, "c": [1, "ü"], "e": None, "g": 1}
    assert isinstance(given["b"], float)


def test_steps_are_plain_functions_outside_of_pipelines(project: Project) -> None:
    project.write(
        run="""
            from typing import Tuple
            from proa import pipeline, step
            @step
            def double(x: int) -> int:
                return 2 * x
            @step(name="other")
            def pair(x: int) -> Tuple[int, int]:
                return double(x), x
            print(double(4), pair(1), double.with_options(enable_cache=False)(3), double.__name__)
        """
    )
    assert project.run(["run.py"]).stdout == "8 (2, 1) 6 double\n"


def test_a_pipeline_in_a_pipeline_adds_its_steps(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step
            @step
            def one() -> int:
                return 1
            @step
            def use(x: int) -> None:
                pass
            @pipeline
            def inner():
                return one()
            @pipeline
            def outer():
                use(inner())
            outer()
        """
    )
    spec = project.spec()
    assert [step["name"] for step in spec["steps"]] == ["one", "use"]
    assert spec["steps"][1]["inputs"] == {"x": {"step": "one", "output": "output"}}


def test_arguments_named_like_options_belong_to_the_function(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step
            @step
            def s(id, after) -> None:
                pass
            @pipeline
            def p():
                s(id=1, after="x")
            p()
        """
    )
    assert project.spec()["steps"][0]["parameters"] == {"id": 1, "after": "x"}


def test_an_output_of_an_earlier_run_is_an_input(project: Project) -> None:
    digest = "sha256:" + "a" * 64
    project.write(
        run=f"""
            from proa import Output, pipeline, step
            @step
            def use(x) -> None:
                pass
            @pipeline
            def p():
                use(Output("x", {{"digest": "{digest}"}}))
            p()
        """
    )
    assert project.spec()["steps"][0]["inputs"] == {"x": {"artifact": digest}}


def test_under_a_profiler(project: Project) -> None:
    shutil.copy(HERE / "pipelines" / "minimal.py", project.root / "minimal.py")
    plain = project.spec("minimal.py")
    done = project.run(["-m", "cProfile", "minimal.py"], PROA_SPEC_ONLY=str(project.root / "spec.out"))
    assert done.returncode == 0, done.stderr
    assert json.loads((project.root / "spec.out").read_bytes()) == plain

"""The runner, as a real process with request and result files."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.project import Project, as_input, make_request

STEPS = """
import os, sys, tempfile
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional, Tuple, Union
from proa import get_secret, pipeline, step, step_context

@step
def add(x: int, y: float = 0.5) -> float:
    print("adding")
    return x + y

@step
def pair() -> Tuple[Annotated[int, "one"], Annotated[List[int], "two"]]:
    return 1, [2]

@step
def nothing() -> None:
    pass

@step
def maybe() -> Optional[int]:
    return None

@step
def typed(whole: float, items: Tuple[int, ...], posonly: "Any" = None) -> str:
    return repr((whole, items))

def plain(a, /, b, **more) -> str:
    return f"{a} {b} {more}"

@step
def context() -> Dict[str, str]:
    c = step_context()
    Path(tempfile.mkstemp()[1]).write_text("written")
    inside = str(c.temp) == tempfile.gettempdir() and os.access(os.environ["HOME"], os.W_OK)
    return {"run": c.run_id, "name": c.run_name, "step": c.step, "pipeline": c.pipeline, "inside": str(inside)}

@step(secrets=["db"])
def secret() -> str:
    return get_secret("db")["pass.word"]

@step
def other_secret() -> str:
    return get_secret("api")["key"]

def helper():
    raise ValueError("first line\\nsecond line")

@step
def fails() -> int:
    try:
        {}["missing"]
    except KeyError as error:
        helper()

@step
def wrong() -> int:
    return "text"

@step
def wrong_union() -> Union[int, List[str]]:
    return "text"

@step
def wrong_count() -> Tuple[int, int]:
    return 1, 2, 3

@step
def no_tuple() -> Tuple[int, int]:
    return 1

@step
def too_much() -> None:
    return 1

@step
def leaves(code: Any) -> None:
    sys.exit(code)

@step
def leaves_early() -> int:
    sys.exit(0)

@step
def hungry() -> int:
    raise MemoryError()

@step
def needy() -> int:
    import a_library_that_is_not_installed

@step
def unpicklable() -> Any:
    return lambda: sys.stdout

@step
def no_file() -> Path:
    return Path("missing.txt")

class Custom:
    pass

@step
def custom() -> Custom:
    return Custom()
"""


@pytest.fixture
def steps(project: Project) -> Project:
    return project.write(run=STEPS)


def test_a_step(steps: Project) -> None:
    attempt = steps.attempt("run:add", {"x": 1}, outputs=["output"])
    assert attempt.code == 0, attempt.stderr
    assert attempt.result == {
        "apiVersion": "proa/v1",
        "outputs": {
            "output": {
                "type": "builtins.float",
                "materializer": "proa.materializers.plain:PlainMaterializer",
                "preview": "1.5",
            }
        },
    }
    assert attempt.stdout == "adding\n"
    again = steps.attempt("run:add", {"x": 1}, {"y": as_input(attempt, "output")}, ["output"])
    assert again.result is not None and again.result["outputs"]["output"]["preview"] == "2.5"


def test_secrets(steps: Project) -> None:
    given = {"db": {"pass.word": "it's 100%\n"}}
    attempt = steps.attempt("run:secret", outputs=["output"], secrets=given)
    assert attempt.result is not None and attempt.result["outputs"]["output"]["preview"] == repr("it's 100%\n")
    refused = steps.attempt("run:other_secret", outputs=["output"], secrets=given)
    assert refused.code == 1
    assert "not given the secret 'api'; known: db; ask for it: @step(secrets=[\"api\"])" in refused.stderr


def test_several_outputs_and_none(steps: Project) -> None:
    attempt = steps.attempt("run:pair", outputs=["one", "two"])
    assert attempt.result is not None
    assert {name: item["preview"] for name, item in attempt.result["outputs"].items()} == {"one": "1", "two": "[2]"}
    nothing = steps.attempt("run:nothing")
    assert nothing.result == {"apiVersion": "proa/v1"} and 0 < nothing.times["called"] <= nothing.times["returned"]
    maybe = steps.attempt("run:maybe", outputs=["output"])
    assert maybe.result is not None and maybe.result["outputs"]["output"]["type"] == "builtins.NoneType"


def test_arguments_have_the_types_they_are_annotated_with(steps: Project) -> None:
    attempt = steps.attempt("run:typed", {"whole": 1, "items": [1, 2]}, outputs=["output"])
    assert attempt.result is not None and attempt.result["outputs"]["output"]["preview"] == "'(1.0, (1, 2))'"
    attempt = steps.attempt("run:plain", {"b": 2, "a": 1, "c": 3}, outputs=["output"])
    assert attempt.result is not None and attempt.result["outputs"]["output"]["preview"] == "\"1 2 {'c': 3}\""


def test_the_context(steps: Project) -> None:
    attempt = steps.attempt("run:context", outputs=["output"], HOME="/nonexistent")
    assert attempt.code == 0 and attempt.result is not None, attempt.stderr
    wanted = "{'run': 'r1', 'name': 'first run', 'step': 'context', 'pipeline': 'p', 'inside': 'True'}"
    text = (attempt.outputs["output"] / "value.json").read_text()
    assert text == wanted.replace("'", '"').replace(": ", ":").replace(", ", ",").replace("first,run", "first run")


def test_an_exception(steps: Project) -> None:
    attempt = steps.attempt("run:fails", outputs=["output"])
    failure = attempt.failure
    assert attempt.code == 1
    assert (failure["kind"], failure["type"], failure["message"]) == ("user", "ValueError", "first line")
    assert "During handling of the above exception" in failure["traceback"]
    assert "in helper" in failure["traceback"] and "in fails" in failure["traceback"]
    assert "proa/runner" not in failure["traceback"]
    assert failure["traceback"] in attempt.stderr


@pytest.mark.parametrize(
    ("source", "outputs", "message"),
    [
        ("wrong", ["output"], "step 'wrong': output 'output' is declared as int but the step returned a str; return a"),
        ("wrong_union", ["output"], "is declared as Union[int, List[str]] but the step returned a str"),
        ("wrong_count", ["output_0", "output_1"], "declares 2 outputs (output_0, output_1) but returned 3 values;"),
        ("no_tuple", ["output_0", "output_1"], "declares 2 outputs (output_0, output_1) but returned a builtins.int;"),
        ("too_much", [], "step 'too_much' returned a builtins.int but declares no output; annotate its return"),
        ("leaves_early", ["output"], "step 'leaves_early' called sys.exit before it returned its outputs"),
        ("missing", [], "module 'run' has no 'missing' when it is imported; define steps at the top of a module"),
        (
            "no_file",
            ["output"],
            "output 'output' of type pathlib.PosixPath can't be saved: missing.txt is neither a file",
        ),
    ],
)
def test_mistakes(steps: Project, source: str, outputs: list[str], message: str) -> None:
    attempt = steps.attempt(f"run:{source}", outputs=outputs)
    assert attempt.code == 1
    assert attempt.failure["kind"] == "user"
    assert message in attempt.failure["message"].replace("typing.", "").replace("pathlib._local", "pathlib")


@pytest.mark.parametrize(("code", "want"), [(3, 3), (0, 0), (None, 0), ("gone wrong", 1), (256, 1)])
def test_exit_codes(steps: Project, code: object, want: int) -> None:
    attempt = steps.attempt("run:leaves", {"code": code})
    assert attempt.code == want
    if code in (0, None):
        assert attempt.result == {"apiVersion": "proa/v1"}
    elif want:
        assert attempt.failure["kind"] == "user" and f"sys.exit with code {want}" in attempt.failure["message"]
    if isinstance(code, str):
        assert code in attempt.failure["message"] and code in attempt.stderr


def test_out_of_memory(steps: Project) -> None:
    attempt = steps.attempt("run:hungry", outputs=["output"])
    assert (attempt.code, attempt.failure["kind"], attempt.failure["type"]) == (1, "oom", "MemoryError")


def test_a_missing_library(steps: Project) -> None:
    message = steps.attempt("run:needy", outputs=["output"]).failure["message"]
    assert message.startswith("No module named 'a_library_that_is_not_installed'; if it is a library, add it to the")


def test_the_last_resort_is_announced(steps: Project) -> None:
    attempt = steps.attempt("run:custom", outputs=["output"])
    assert attempt.code == 0
    assert "output 'output' is a run.Custom, which has no materializer; it is pickled" in attempt.stderr


def test_a_module_that_cannot_be_imported(project: Project) -> None:
    project.write(run="import math\n1 / 0\n")
    failure = project.attempt("run:step").failure
    assert failure["type"] == "ZeroDivisionError"
    assert "run.py" in failure["traceback"] and "importlib" not in failure["traceback"]
    assert project.attempt("nowhere:step").failure["type"] == "ModuleNotFoundError"


def test_scripts_without_a_main_guard(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step, Materializer
            @step
            def early() -> int:
                return 1
            @pipeline
            def p():
                early()
            run = p()
            print("after", run.steps["early"].output.load() == 1, [x for x in run.steps])
            @step
            def late() -> int:
                return 2
            p()
            raise SystemExit("never reached")
        """
    )
    early = project.attempt("run:early", outputs=["output"])
    assert (early.code, early.stdout) == (0, "")
    late = project.attempt("run:late", outputs=["output"])
    assert (late.code, late.stdout) == (0, "after False []\n")


def test_a_script_in_a_folder_imports_its_neighbours(project: Project) -> None:
    project.write(
        jobs__run="from helpers import value\nfrom proa import step\n@step\ndef s() -> int:\n    return value()\n",
        jobs__helpers="def value():\n    return 7\n",
    )
    attempt = project.attempt("jobs.run:s", outputs=["output"])
    assert attempt.code == 0 and attempt.result is not None, attempt.stderr
    assert attempt.result["outputs"]["output"]["preview"] == "7"


def test_site_folders_have_their_pth_files_read(project: Project, tmp_path: Path) -> None:
    site, behind = tmp_path / "site", tmp_path / "behind"
    site.mkdir()
    behind.mkdir()
    (site / "more.pth").write_text(f"{behind}\n")
    (behind / "hidden_library.py").write_text("VALUE = 5\n")
    project.write(run="from hidden_library import VALUE\ndef s() -> int:\n    return VALUE\n")
    attempt = project.attempt("run:s", outputs=["output"], PROA_SITE=str(site))
    assert attempt.code == 0, attempt.stderr


def test_output_is_written_line_by_line_and_sigterm_runs_finally(project: Project, tmp_path: Path) -> None:
    project.write(
        run="""
            import signal
            from proa import step
            @step
            def s() -> None:
                try:
                    print("waiting")
                    signal.pause()
                finally:
                    print("cleaned up")
        """
    )
    make_request(tmp_path / "work", "run:s", {}, {}, [])
    process = subprocess.Popen(
        [project.python, "-m", "proa.runner"],
        cwd=project.root,
        env=project.environment(PROA_REQUEST=str(tmp_path / "work" / "request.json")),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "cleaned up\n"
    assert process.returncode == -signal.SIGTERM
    assert not (tmp_path / "work" / "result.json").exists()


def test_without_a_request(project: Project) -> None:
    done = project.run(["-m", "proa.runner"])
    assert done.returncode == 2 and "PROA_REQUEST is not set" in done.stderr


def test_custom_materializers(project: Project) -> None:
    project.write(
        run="""
            from pathlib import Path
            from typing import Any
            from proa import Materializer, step
            class Table:
                def __init__(self, rows): self.rows = rows
            class Derived(Table): pass
            class TableMaterializer(Materializer):
                types = (Table,)
                def save(self, value, path): (path / "rows").write_text(str(value.rows))
                def load(self, path, type): return type(int((path / "rows").read_text()))
                def preview(self, value): return f"{value.rows} rows"
            class Other(TableMaterializer):
                types = ()
                def preview(self, value): return 1 / 0
            @step
            def make() -> Table: return Derived(3)
            @step
            def use(table: Table) -> str: return f"{type(table).__name__} {table.rows}"
        """
    )
    made = project.attempt("run:make", outputs=["output"])
    assert made.result is not None
    assert made.result["outputs"]["output"] == {
        "type": "run.Derived",
        "materializer": "run:TableMaterializer",
        "preview": "3 rows",
    }
    used = project.attempt("run:use", inputs={"table": as_input(made, "output")}, outputs=["output"])
    assert used.result is not None and used.result["outputs"]["output"]["preview"] == "'Derived 3'"
    other = project.attempt("run:make", outputs=[{"name": "output", "materializer": "run:Other"}])
    assert other.result is not None and other.result["outputs"]["output"]["preview"] == "Derived"
    lost = {**as_input(made, "output"), "materializer": "run:Gone"}
    failure = project.attempt("run:use", inputs={"table": lost}, outputs=["output"]).failure
    assert (
        "step 'use': input 'table' of type run.Derived can't be loaded: materializer run:Gone can't be"
        in (failure["message"])
    )


def test_the_environment_of_the_step_is_its_own(project: Project) -> None:
    project.write(run="import os\ndef s() -> str:\n    return str('PROA_REQUEST' in os.environ)\n")
    attempt = project.attempt("run:s", outputs=["output"])
    assert attempt.result is not None and attempt.result["outputs"]["output"]["preview"] == "'False'"
    assert os.environ.get("PROA_REQUEST") is None


def test_a_step_cannot_start_a_pipeline(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step
            @step
            def s() -> None:
                p()
            @pipeline
            def p():
                s()
        """
    )
    message = project.attempt("run:s").failure["message"]
    assert message.startswith("step 's' called a pipeline, but a running step can't start one")


def test_annotations_that_are_for_type_checkers_only(project: Project) -> None:
    project.write(
        run="""
            from __future__ import annotations
            from typing import TYPE_CHECKING, TypedDict
            if TYPE_CHECKING:
                from elsewhere import Number
            class Row(TypedDict):
                value: int
            def s(x: Number) -> Row:
                return {"value": x}
        """
    )
    attempt = project.attempt("run:s", {"x": 1}, outputs=["output"])
    assert attempt.code == 0 and attempt.result is not None, attempt.stderr
    assert attempt.result["outputs"]["output"]["preview"] == "{'value': 1}"


def test_an_edit_that_keeps_time_and_size(project: Project) -> None:
    code = "def s() -> int:\n    return 1\n"
    path = project.write(run=code).root / "run.py"
    first = project.attempt("run:s", outputs=["output"], PYTHONDONTWRITEBYTECODE="")
    assert first.result is not None and first.result["outputs"]["output"]["preview"] == "1", first.stderr
    stat = path.stat()
    path.write_text(code.replace("1", "2"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = project.attempt("run:s", outputs=["output"], PYTHONDONTWRITEBYTECODE="")
    assert second.result is not None and second.result["outputs"]["output"]["preview"] == "2", second.stderr

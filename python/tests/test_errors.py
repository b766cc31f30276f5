"""Mistakes in pipelines are errors that say what to do, before anything runs."""

from __future__ import annotations

from typing import Tuple

import pytest

from tests.project import Project

HEADER = """
from typing import *
from proa import *
@step
def number() -> int:
    return 1
@step
def two() -> Tuple[int, int]:
    return 1, 2
@step
def nothing() -> None:
    pass
@step
def use(x: int, y: int = 0) -> int:
    return x
"""

CASES: Tuple[Tuple[str, str, str], ...] = (
    ("no steps", "pass", "pipeline 'p' has no steps; call functions with @step inside it"),
    ("set as argument", "use({1})", "step 'use': argument 'x' is a set, which can't be a parameter; pass a number"),
    ("object in a list", "use([object()])", "argument 'x' is a list with an object, which can't be a parameter"),
    ("not a number", "use(float('inf'))", "argument 'x' is the number inf, which can't be a parameter"),
    ("key", "use({1: 2})", "argument 'x' is a dict with a key of type int, which can't"),
    ("outputs in a list", "use([number()])", "is a list that holds outputs of steps; pass each output as an argument"),
    ("all outputs", "use(two())", "is all 2 outputs of step 'two'; take them apart: output_0, output_1 = two(...)"),
    ("no output", "use(nothing())", "is the result of step 'nothing', which has no output; annotate what it returns"),
    ("unknown argument", "use(1, z=2)", "step 'use': got an unexpected keyword argument 'z'; its arguments are (x, y)"),
    ("missing argument", "use()", "step 'use': missing a required argument: 'x'"),
    ("truth", "if number(): pass", "so it can't decide on it; do that in a step"),
    ("unpacked", "a, b = number()", "so it can't take it apart (a step with several outputs is annotated"),
    ("index", "number()[0]", "has no value yet: a pipeline function only connects steps, so it can't index it"),
    ("same id", "number(id='n'), use(1, id='n')", "pipeline 'p' has two steps named 'n'; give one of the calls a name"),
    ("same name", "s = number.with_options(name='s'); s(), s()", "pipeline 'p' has two steps named 's'"),
    ("id taken by default", "number(), use(1, id='number')", "has two steps named 'number'"),
    ("empty id", "number(id=' ')", "' ' is no name; write a text"),
    (
        "unknown after",
        "number(after='us'), use(1)",
        "step 'number' comes after 'us', which is no step of pipeline 'p'; ",
    ),
    ("bad after", "number(after=3)", "after=3 is no step; give what a step's call returned, or the step's name"),
    ("cycle", "use(number(after='use'))", "in a cycle: number -> use -> number; remove one of the dependencies"),
    ("itself", "number(after='number')", "in a cycle: number -> number;"),
    ("settings key", "number.with_options(settings={'dokcer': {}})()", "unknown key 'dokcer'; did you mean 'docker'?"),
    (
        "secrets",
        "number.with_options(secrets='db')()",
        "step 'number': secrets is 'db'; write a list of names: secrets=[",
    ),
    ("secret name", "number.with_options(secrets=[''])()", "step 'number': secrets holds ''; write names of secrets"),
    ("docker key", "number.with_options(settings={'docker': {'requirement': []}})()", "did you mean 'requirements'?"),
    (
        "docker kind",
        "number.with_options(settings={'docker': 3})()",
        "docker settings: 3 is of type int; write DockerSettings(",
    ),
    ("settings kind", "number.with_options(settings=[1])()", "step 'number': settings is a list; write {\"docker\""),
    (
        "requirements",
        "number.with_options(settings={'docker': {'requirements': [1]}})()",
        "requirements holds 1, which is of type int; write text",
    ),
    (
        "no file",
        "number.with_options(settings={'docker': {'requirements': 'r.txt'}})()",
        "r.txt can't be read: No such",
    ),
    ("retry", "number.with_options(retry=-1)()", "retry: max is -1; write the number of further attempts"),
    ("on_oom key", "number.with_options(retry={'on_oom': {'memory': '8Gi'}})()", "retry: on_oom: unknown key 'memory'"),
    ("retry key", "number.with_options(retry={'maxx': 1})()", "retry: unknown key 'maxx'; did you mean 'max'?"),
    (
        "timeout",
        "number.with_options(timeout='soon')()",
        "step 'number': timeout: 'soon' is no duration; write seconds",
    ),
    ("resources", "number.with_options(resources={'ram': '1Gi'})()", "step 'number': resources: unknown key 'ram';"),
    ("cache", "number.with_options(enable_cache='no')()", "enable_cache is 'no'; write True or False"),
    (
        "option",
        "number.with_options(cache=False)()",
        "step 'number': unknown option 'cache'; did you mean 'enable_cache'?",
    ),
    (
        "materializer",
        "number.with_options(output_materializers={'a': int})()",
        "names output 'a', which it doesn't have;",
    ),
    (
        "no materializer",
        "number.with_options(output_materializers=int)()",
        "give a class derived from proa.Materializer",
    ),
)


@pytest.mark.parametrize(("body", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_pipeline(lab: Project, body: str, message: str) -> None:
    lab.write(run=f"{HEADER}\n@pipeline\ndef p():\n    {body}\np()\n")
    assert message in lab.error()


STEPS: Tuple[Tuple[str, str, str], ...] = (
    ("unannotated", "def s():\n    return 1", "step 's' returns a value but has no return annotation, so its outputs"),
    ("unannotated later", "def s(a=1):\n    if a:\n        return a\n    return None", "write `def s(...) -> float:`"),
    ("generator", "def s() -> int:\n    yield 1", "step 's' is a generator; return its values as a list"),
    ("coroutine", "async def s() -> int:\n    return 1", "step 's' is an async function; use asyncio.run"),
    ("twice", "def s() -> Tuple[Annotated[int, 'a'], Annotated[int, 'a']]: ...", "two outputs named 'a'"),
    ("bad name", "def s() -> Annotated[int, 'a/b']: ...", "step 's' has an output named 'a/b'; a name begins with"),
    ("unknown", "def s() -> 'Missing': ...", "step 's': its return annotation can't be evaluated: name 'Missing'"),
    ("star", "def s(*x) -> int: ...\nargs = (1,)", "step 's': *x can't be passed on; give each argument a name"),
)


@pytest.mark.parametrize(("code", "message"), [case[1:] for case in STEPS], ids=[case[0] for case in STEPS])
def test_step(project: Project, code: str, message: str) -> None:
    lines = ["from typing import *", "from proa import *", "args = ()", "@step", code]
    project.write(run="\n".join([*lines, "@pipeline", "def p():", "    s(*args)", "p()"]) + "\n")
    assert message in project.error()


def test_nothing_is_returned_by_inner_functions_and_bare_returns(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step
            @step
            def s():
                def inner():
                    return 1
                if inner() == (lambda: 2)():
                    return
                return None
            @pipeline
            def p():
                s()
            p()
        """
    )
    assert "outputs" not in project.spec()["steps"][0]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("step(step(len))", "step 'len' is decorated twice; remove one @step"),
        ("step(3)", "@step decorates functions, not 3; options are given by name: @step(name=...)"),
        ("pipeline('name')", "@pipeline decorates functions, not 'name'"),
        ("step(nam='x')(len)", "unknown option 'nam'; did you mean 'name'?"),
        ("pipeline(cache=1)(len)", "pipeline 'len': unknown option 'cache'; did you mean 'enable_cache'?"),
        ("step_context()", "there is no step context here: step_context() is for the body of a step"),
        ("pipeline(lambda: step(lambda: None)())()", "is defined inside a function; steps are imported"),
        ("pipeline(lambda x: 0)({1})", "argument 'x' is a set, which can't be recorded; pass a number"),
    ],
)
def test_elsewhere(lab: Project, code: str, message: str) -> None:
    lab.write(run=f"from proa import *\n{code}\n")
    assert message in lab.error()


def test_code_without_a_file(lab: Project) -> None:
    done = lab.run(["-c", "from proa import *\n@pipeline\ndef p(): pass\np()"], PROA_SPEC_ONLY="spec.out")
    assert "this pipeline was not written in a file" in done.stderr


def test_file_names_that_cannot_be_imported(lab: Project) -> None:
    lab.write(placeholder="")
    (lab.root / "run.v2.py").write_text(HEADER + "@pipeline\ndef p(): number()\np()\n")
    assert "run.v2.py can't be imported, because 'run.v2' has a dot in it; rename it" in lab.error("run.v2.py")

"""What changes the digest of a step, and what does not."""

from __future__ import annotations

from typing import Dict, List, Tuple

import pytest

from tests.project import Project

RUN = """
import math
from helpers import clean, Base
import consts, deep.inner as inner
from star import *
from proa import pipeline, step

FACTOR = 2
UNUSED = 1

def local(x):
    return x * FACTOR

class Model(Base):
    size = 3

@step
def s() -> float:
    "A docstring."
    # a comment
    from late import later
    return math.sin(local(clean(1)) + Model.size + consts.PI + inner.value() + starred() + later())

@pipeline
def p():
    s()

if __name__ == "__main__":
    p()
"""

FILES: Dict[str, str] = {
    "run": RUN,
    "helpers": (
        "from consts import PI\n\ndef clean(x):\n    return below(x)\n\ndef below(x):\n    return x\n"
        "\nclass Base:\n    offset = 1\n\ndef other():\n    return 1\n"
    ),
    "consts": "PI = 3\nE = 2\n",
    "deep____init__": "",
    "deep__inner": "from . import more\nfrom .more import deeper as d\ndef value():\n    return d() + more.most()\n",
    "deep__more": "def deeper():\n    return 1\ndef most():\n    return 1\ndef least():\n    return 1\n",
    "star": "def starred():\n    return 1\n",
    "late": "def later():\n    return 1\n",
}

SAME: List[Tuple[str, str, str, str]] = [
    ("comment", "run", "# a comment", "# another comment"),
    ("docstring", "run", '"A docstring."', '"""Another docstring."""'),
    ("formatting", "run", "return x * FACTOR", "return (x  *\n        FACTOR)"),
    ("step options", "run", "@step\n", "@step(name='t', retry=3)\n"),
    ("unused constant", "run", "UNUSED = 1", "UNUSED = 2"),
    ("pipeline body", "run", "def p():\n    s()", "def p():\n    s(id='x')"),
    ("main guard", "run", 'if __name__ == "__main__":\n    p()', 'if __name__ == "__main__":\n    FACTOR = 3\n    p()'),
    ("unused function", "helpers", "def other():\n    return 1", "def other():\n    return 2"),
    ("unused in module", "consts", "E = 2", "E = 3"),
    ("unused below", "deep__more", "def least():\n    return 1", "def least():\n    return 2"),
]

OTHER: List[Tuple[str, str, str, str]] = [
    ("body", "run", "+ later())", "+ later() + 1)"),
    ("constant", "run", "FACTOR = 2", "FACTOR = 3"),
    ("local function", "run", "return x * FACTOR", "return x + FACTOR"),
    ("local class", "run", "size = 3", "size = 4"),
    ("imported function", "helpers", "return below(x)", "return below(x) + 1"),
    ("function below", "helpers", "def below(x):\n    return x", "def below(x):\n    return -x"),
    ("base class", "helpers", "offset = 1", "offset = 2"),
    ("attribute of a module", "consts", "PI = 3", "PI = 4"),
    ("relative import", "deep__more", "def deeper():\n    return 1", "def deeper():\n    return 2"),
    ("module in a package", "deep__more", "def most():\n    return 1", "def most():\n    return 2"),
    ("star import", "star", "return 1", "return 2"),
    ("import inside", "late", "return 1", "return 2"),
    ("library", "run", "import math", "import cmath as math"),
]


def digest(project: Project) -> str:
    found: str = project.spec()["steps"][0]["run"]["python"]["digest"]
    return found


@pytest.fixture
def files(project: Project) -> Project:
    project.write(**FILES)
    (project.root / "deep" / "__init__.py").touch()
    return project


@pytest.mark.parametrize("change", SAME, ids=[change[0] for change in SAME])
def test_same(files: Project, change: Tuple[str, str, str, str]) -> None:
    before = digest(files)
    edit(files, change)
    assert digest(files) == before


@pytest.mark.parametrize("change", OTHER, ids=[change[0] for change in OTHER])
def test_other(files: Project, change: Tuple[str, str, str, str]) -> None:
    before = digest(files)
    edit(files, change)
    assert digest(files) != before


def test_a_digest_tells_what_it_is_made_of(files: Project) -> None:
    def parts() -> Dict[str, str]:
        spec = files.spec()
        found: Dict[str, str] = spec["source"]["code"][spec["steps"][0]["run"]["python"]["digest"]]
        return found

    before = parts()
    assert {"run:s", "run:local", "run:FACTOR", "helpers:below", "consts:PI", "import math"} <= set(before)
    assert not {"run:UNUSED", "helpers:other", "consts:E"} & set(before)
    edit(files, ("", "helpers", "def below(x):\n    return x", "def below(x):\n    return -x"))
    after = parts()
    assert set(after) == set(before) and [name for name in after if after[name] != before[name]] == ["helpers:below"]


def edit(files: Project, change: Tuple[str, str, str, str]) -> None:
    _, file, old, new = change
    assert FILES[file].count(old) == 1
    files.write(**{file: FILES[file].replace(old, new)})


def test_recursion_and_steps_that_call_each_other(project: Project) -> None:
    project.write(
        run="""
            from proa import pipeline, step
            def even(n): return n == 0 or odd(n - 1)
            def odd(n): return n != 0 and even(n - 1)
            @step
            def first() -> bool:
                return even(3)
            @step
            def second() -> bool:
                return first()
            @pipeline
            def p():
                second(), first()
            p()
        """
    )
    one, two = (step["run"]["python"]["digest"] for step in project.spec()["steps"])
    assert one != two
    path = project.root / "run.py"
    path.write_text(path.read_text().replace("n != 0", "n > 0"))
    changed_one, changed_two = (step["run"]["python"]["digest"] for step in project.spec()["steps"])
    assert changed_one != one and changed_two != two


def test_a_custom_materializer_has_a_digest_of_its_own(project: Project) -> None:
    text = """
        from proa import Materializer, pipeline, step
        def encode(v): return str(v)
        class T: pass
        class M(Materializer):
            types = (T,)
            def save(self, value, path): (path / "v").write_text(encode(value))
        @step
        def s() -> T: return T()
        @pipeline
        def p(): s()
        p()
    """
    project.write(run=text)
    before = project.spec()["steps"][0]
    project.write(run=text.replace("str(v)", "repr(v)"))
    after = project.spec()["steps"][0]
    assert after["outputs"][0]["digest"] != before["outputs"][0]["digest"]
    assert after["run"] == before["run"]

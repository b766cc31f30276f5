"""Telling plain code from code that does something."""

from __future__ import annotations

import ast
import textwrap

import pytest

from proa.plain import is_plain, is_plain_until

PLAIN = """
    '''A module.'''
    from __future__ import annotations
    import logging, os, os.path as p, warnings
    import numpy as np
    from dataclasses import dataclass, field
    from enum import Enum
    from pathlib import Path
    from typing import TYPE_CHECKING, Annotated, NamedTuple
    from proa import DockerSettings, Retry, pipeline, step
    import proa

    try:
        import fast
    except ImportError:
        fast = None
    if TYPE_CHECKING:
        import other
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.INFO)
    np.random.seed(3)
    log = logging.getLogger(__name__)
    HERE, SIZE = Path(__file__).parent, 2 ** 10
    NAMES: list[str] = [str(n) for n in range(3)]
    SETTINGS = {"docker": DockerSettings(requirements=p.join("a", "b.txt"))}
    double = lambda x: launch(x)

    class Colour(Enum):
        RED = "red"

    @dataclass(frozen=True)
    class Options:
        names: list[str] = field(default_factory=list)

        @property
        def first(self): return launch(self)
        @first.setter
        def first(self, value): ...
        @staticmethod
        def make(): ...

    @step(retry=Retry(3), settings=SETTINGS)
    def load(path: str = os.getenv("X", "y")) -> Annotated[np.ndarray, "data"]:
        return launch(path)

    @proa.pipeline
    def train(path: str = "x"):
        load(path)
"""

DOES = [
    "print('hello')",
    "x = open('data.csv')",
    "import pandas\nx = pandas.read_csv('x')",
    "def f(): ...\nf()",
    "def f(): ...\nx = f()",
    "x = [f(n) for n in names]",
    "x = f'{f()}'",
    "x = y = f()",
    "os.environ['X'] = '1'",
    "x.y = 1",
    "x += 1",
    "for x in y: pass",
    "with x: pass",
    "del x",
    "from lib import *",
    "import app\n@app.task\ndef f(): ...",
    "@register\ndef f(): ...",
    "@register('x')\ndef f(): ...",
    "def f(x=g()): ...",
    "def f() -> g(): ...",
    "class A(make()): ...",
    "class A:\n    x = f()",
    "class A:\n    @register\n    def f(self): ...",
    "if f(): x = 1",
    "if x: f()",
    "try:\n    f()\nexcept E: pass",
    "(x := 1)",
    "x = (y := f())",
    "import proa\nx = proa.get_secret('x')",
    "from proa import get_run\nx = get_run('x')",
    "from .helpers import list\nx = list()",
    "def list(): ...\nx = list()",
    "from helpers import make\nx = make()",
    "from pathlib import Path\nPath('x').mkdir()",
    "import logging\nlogging.getLogger().addHandler(1)",
    "import warnings\nwarnings.warn('x')",
    "import random\nrandom.seed(f())",
    "x = lambda y=f(): y",
]

CALLS = {
    "train()": True,
    "run = train('x', 3, [1, 2], epochs=2 * 3)": True,
    "run: object = train()": True,
    "train.with_options(name='x', settings=SETTINGS)()": True,
    "flows.train()": True,
    "train(load_config())": False,
    "train(**vars(parse()))": False,
    "print(train())": False,
    "train.with_options(name=f())()": False,
    "train.unlike(name='x')()": False,
    "run = train().steps": False,
    "flows['a']()": False,
    "x = 1; train()": False,
    "main()": True,
    "for x in range(3): train()": False,
    "with timer(): train()": False,
    "if True: train()": False,
}


def test_plain() -> None:
    assert is_plain(ast.parse(textwrap.dedent(PLAIN)))


@pytest.mark.parametrize("code", DOES)
def test_not_plain(code: str) -> None:
    assert not is_plain(ast.parse(code))
    assert is_plain(ast.parse('if __name__ == "__main__":\n' + textwrap.indent(code, "    ")))


@pytest.mark.parametrize(("call", "plain"), list(CALLS.items()))
@pytest.mark.parametrize("guard", [False, True])
def test_plain_until_the_call(call: str, plain: bool, guard: bool) -> None:
    before = textwrap.dedent(PLAIN)
    code = f'if __name__ == "__main__":\n    {call}\n    print("after")' if guard else f"{call}\nprint('after')"
    assert is_plain_until(ast.parse(before + code), len(before.splitlines()) + 1 + guard) == plain


def test_only_the_first_call() -> None:
    assert not is_plain_until(ast.parse("train()\ntrain()"), 2)
    assert not is_plain_until(ast.parse("if __name__ == '__main__':\n    train()\n    train()"), 3)
    assert not is_plain_until(ast.parse("if __name__ == '__main__':\n    f()\ntrain()"), 3)
    assert not is_plain_until(ast.parse("print()\nif __name__ == '__main__':\n    train()"), 3)
    assert not is_plain_until(ast.parse("if __name__ != '__main__':\n    f()\ntrain()"), 3)

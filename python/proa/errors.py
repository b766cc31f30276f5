"""The errors that proa raises. Each says what happened, why, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Optional

if TYPE_CHECKING:
    from proa.runs import Run


class ProaError(Exception):
    """The base of all errors but :class:`RunFailed`."""


class PipelineError(ProaError):
    """A pipeline, a step or a setting that is not written as it must be."""


class OutputError(ProaError):
    """A step returned something else than it declares."""


class MaterializerError(ProaError):
    """A value that can't be saved or loaded."""


class RunFailed(SystemExit):
    """A run that did not succeed.

    It is a :class:`SystemExit`: uncaught, it ends the program with proa's exit code and without a traceback, because
    the failed step's own traceback was shown already. ``run`` is the failed run, if it got as far as being one.
    """

    def __init__(self, code: int, run: Optional[Run] = None) -> None:
        super().__init__(code)
        self.run = run

    def __str__(self) -> str:
        if self.run is None:
            return f"proa ended with exit code {self.code} before there was a run"
        return f"run {self.run.name} {self.run.status} (exit code {self.code})"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown word: the nearest known one, and all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.55)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(names) if names else 'none'}"

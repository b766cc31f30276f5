"""What a step can find out about itself while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

from proa.errors import ProaError


class StepContext(NamedTuple):
    """The step that runs now."""

    pipeline: str
    step: str
    #: The attempt's number, from 1.
    attempt: int
    #: The run's id, and its name.
    run_id: str
    run_name: str
    #: A folder for the step's own use; it is removed afterwards.
    temp: Path


_current: Optional[StepContext] = None


def step_context() -> StepContext:
    """Return the context of the step that runs now."""
    if _current is None:
        raise ProaError("there is no step context here: step_context() is for the body of a step while a pipeline runs")
    return _current


def set_step_context(context: StepContext) -> None:
    """Set the context; the runner does, once."""
    global _current
    _current = context

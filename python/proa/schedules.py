"""When a pipeline is run."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Dict, Optional, Union

from proa.errors import PipelineError

Moment = Union[datetime, str, None]


class Schedule:
    """Has the cluster run a pipeline again and again: ``Schedule("0 9 * * 1-5", timezone="Europe/Berlin")``.

    Calling a pipeline that has a schedule makes the schedule, or changes the one of that ``name`` (the pipeline's
    unless given), and returns None. Runs are started from ``start_time`` on and until ``end_time``; with ``catchup``
    one is started for what was missed. ``concurrency`` says what to do while the run before still goes on: "forbid"
    (leave the new one out), "allow" or "replace".
    """

    def __init__(
        self,
        cron_expression: Optional[str] = None,
        *,
        timezone: Optional[str] = None,
        start_time: Moment = None,
        end_time: Moment = None,
        catchup: bool = False,
        concurrency: Optional[str] = None,
        name: Optional[str] = None,
        interval_second: Any = None,
    ) -> None:
        self.cron_expression = cron_expression
        self.timezone = timezone
        self.start_time = start_time
        self.end_time = end_time
        self.catchup = catchup
        self.concurrency = concurrency
        self.name = name
        self.interval_second = interval_second

    def __repr__(self) -> str:
        return f"Schedule({self.cron_expression!r})"

    def document(self, owner: str) -> Dict[str, Any]:
        """Return the schedule as it stands in a spec."""
        if self.interval_second is not None or not self.cron_expression:
            raise PipelineError(f'{owner}: a schedule needs a cron_expression, such as Schedule("0 9 * * 1-5")')
        document = {
            "name": self.name,
            "cron_expression": self.cron_expression,
            "timezone": self.timezone,
            "start_time": _moment(self.start_time, f"{owner}: start_time"),
            "end_time": _moment(self.end_time, f"{owner}: end_time"),
            "catchup": self.catchup or None,
            "concurrency": self.concurrency,
        }
        return {key: value for key, value in document.items() if value is not None}


def schedule_document(schedule: Any, owner: str) -> Dict[str, Any]:
    """Return a schedule as it stands in a spec; a text is a cron expression."""
    if schedule is None:
        return {}
    if isinstance(schedule, str):
        schedule = Schedule(schedule)
    if not isinstance(schedule, Schedule):
        raise PipelineError(f"{owner}: schedule is a {type(schedule).__name__}; write Schedule(...)")
    return schedule.document(owner)


def _moment(value: Moment, what: str) -> Optional[str]:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(re.sub("Z$", "+00:00", value))
        if value.tzinfo is None:
            value = value.astimezone()
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, AttributeError, TypeError) as error:
        raise PipelineError(f"{what} is {value!r}, which is no time; write a datetime") from error

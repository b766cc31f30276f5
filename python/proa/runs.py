"""Runs, their steps and their outputs, as they were recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, TypeVar

from proa.errors import ProaError, nearest

V = TypeVar("V")

_NOTHING = object()


class Named(Dict[str, V]):
    """Things by name; an unknown name is an error that names the nearest known one."""

    def __init__(self, what: str, items: Mapping[str, V]) -> None:
        super().__init__(items)
        self._what = what

    def __missing__(self, name: str) -> V:
        raise KeyError(f"{self._what} {name!r}: there is none; {nearest(str(name), self)}")


class Output:
    """An output of a step: an artifact."""

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self.name = name
        #: Identifies the content: equal values have equal digests.
        self.digest: str = document["digest"]
        self.type: str = document.get("type", "")
        self.materializer: str = document.get("materializer", "")
        #: In bytes.
        self.size: int = document.get("size", 0)
        #: One short line.
        self.preview: str = document.get("preview", "")
        self._value: Any = _NOTHING

    def load(self) -> Any:
        """Return the value. It is fetched once and kept."""
        if self._value is _NOTHING:
            from proa import client
            from proa.loading import load

            self._value = load(client.fetch_artifact(self.digest), self.type, self.materializer)
        return self._value

    def __repr__(self) -> str:
        return f"<output {self.name}: {self.preview or self.type}>"


class Failure:
    """Why a step failed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        #: "user", "oom", "timeout", "evicted", "image", "lost", …
        self.kind: str = document.get("kind", "")
        self.type: str = document.get("type", "")
        self.message: str = document.get("message", "")
        self.traceback: str = document.get("traceback", "")
        #: What else is known of the end, in one line: exit code, signal, memory used against memory allowed.
        self.evidence: str = document.get("evidence", "")

    def __repr__(self) -> str:
        return f"<failure {self.kind}: {self.message}>"


class StepRun:
    """What became of one step."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name: str = document["name"]
        #: "waiting", "pending", "running", "succeeded", "cached", "failed", "skipped" or "cancelled".
        self.status: str = document["status"]
        self.attempt: int = document.get("attempt", 0)
        #: The id of the run whose result was taken, if it was.
        self.cached_from: Optional[str] = document.get("cachedFrom") or None
        self.started: Optional[str] = document.get("started") or None
        self.ended: Optional[str] = document.get("ended") or None
        failure = document.get("failure")
        self.failure: Optional[Failure] = Failure(failure) if failure else None
        outputs = {name: Output(name, item) for name, item in (document.get("outputs") or {}).items()}
        self.outputs: Named[Output] = Named(f"output of step {self.name!r}", outputs)

    @property
    def output(self) -> Output:
        """The output of a step that has exactly one."""
        if len(self.outputs) != 1:
            names = ", ".join(self.outputs) or "none"
            raise ProaError(f"step {self.name!r} ({self.status}) has {len(self.outputs)} outputs ({names}), not one")
        return next(iter(self.outputs.values()))

    def __repr__(self) -> str:
        return f"<step {self.name}: {self.status}>"


class Run:
    """A run of a pipeline."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.id: str = document["id"]
        self.name: str = document["name"]
        self.pipeline: str = document.get("pipeline", "")
        self.stack: str = document.get("stack", "")
        #: "pending", "running", "succeeded", "failed" or "cancelled".
        self.status: str = document["status"]
        self.created: Optional[str] = document.get("created") or None
        self.started: Optional[str] = document.get("started") or None
        self.ended: Optional[str] = document.get("ended") or None
        steps = {item["name"]: StepRun(item) for item in document.get("steps") or ()}
        self.steps: Named[StepRun] = Named(f"step of run {self.name!r}", steps)

    def __repr__(self) -> str:
        return f"<run {self.name}: {self.status}>"


def get_run(name: str) -> Run:
    """Return the recorded run of that name or id."""
    from proa import client

    return Run(client.show_run(name))


def artifact_folder(base: Path, digest: str) -> Path:
    """Return where an artifact is kept under a folder."""
    return base / digest.replace(":", "-")

"""The ``@pipeline`` decorator."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Sequence, Union, cast, overload

from proa.errors import PipelineError, nearest

if TYPE_CHECKING:
    from proa.runs import Run

_OPTIONS = ("name", "enable_cache", "settings", "secrets", "schedule")

_interceptor: Optional[Callable[[], Any]] = None


def intercept(interceptor: Optional[Callable[[], Any]]) -> None:
    """Call interceptor instead of running a pipeline: the runner imports scripts for their steps only."""
    global _interceptor
    _interceptor = interceptor


class Pipeline:
    """A function that connects steps. Calling it runs the pipeline on the active stack and returns its run."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self.function = function
        self.options: Dict[str, Any] = dict(options)
        functools.update_wrapper(cast(Any, self), function)

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        return self.options.get("name") or str(getattr(self.function, "__name__", "pipeline"))

    def __call__(self, *args: Any, **kwargs: Any) -> Run:
        """Run the pipeline; inside another pipeline, add its steps to that one."""
        if _interceptor is not None:
            return cast("Run", _interceptor())
        from proa.graph import active_graph

        if active_graph() is not None:
            return cast("Run", self.function(*args, **kwargs))
        from proa import client, origin

        with origin.offered(self, sys._getframe(1)) as offer:
            return cast("Run", client.run(self.spec(*args, **kwargs), offer))

    def spec(self, *args: Any, **kwargs: Any) -> Dict[str, Any]:
        """Return the pipeline's specification for these arguments, without running it."""
        from proa.spec import compile_pipeline

        return compile_pipeline(self, args, kwargs)

    def with_options(self, **options: Any) -> Pipeline:
        """Return the same pipeline with other options; what is not given stays as it is."""
        for key in options:
            if key not in _OPTIONS:
                raise PipelineError(f"pipeline {self.name!r}: unknown option {key!r}; {nearest(key, _OPTIONS)}")
        return Pipeline(self.function, {**self.options, **options})

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"


@overload
def pipeline(function: Callable[..., Any]) -> Pipeline: ...


@overload
def pipeline(
    *,
    name: Optional[str] = ...,
    enable_cache: Optional[bool] = ...,
    settings: Optional[Mapping[str, Any]] = ...,
    secrets: Optional[Sequence[str]] = ...,
) -> Callable[[Callable[..., Any]], Pipeline]: ...


def pipeline(
    function: Optional[Callable[..., Any]] = None, **options: Any
) -> Union[Pipeline, Callable[[Callable[..., Any]], Pipeline]]:
    """Make a function a pipeline. Its body calls steps; its arguments are the pipeline's parameters.

    Options: ``name``; ``enable_cache``; ``settings`` (``{"docker": DockerSettings(...), "orchestrator": {...}}``);
    ``secrets`` (names of secrets that every step is given).
    """
    if function is None:
        return lambda decorated: pipeline(decorated).with_options(**options)
    if not callable(function) or isinstance(function, type):
        raise PipelineError(
            f"@pipeline decorates functions, not {function!r}; options are given by name: @pipeline(name=...)"
        )
    return Pipeline(function, {})

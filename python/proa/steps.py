"""The ``@step`` decorator."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Generic, Mapping, Optional, Sequence, TypeVar, Union, cast, overload

from proa.errors import PipelineError, nearest

R = TypeVar("R")

_OPTIONS = (
    "name",
    "enable_cache",
    "settings",
    "retry",
    "timeout",
    "resources",
    "secrets",
    "output_materializers",
    "after",
)


class Step(Generic[R]):
    """A function that can be a step of a pipeline.

    Called inside a pipeline function it adds a step and returns handles of its outputs; called anywhere else it is the
    plain function.
    """

    def __init__(self, function: Callable[..., R], options: Mapping[str, Any]) -> None:
        self.function = function
        self.options: Dict[str, Any] = dict(options)
        functools.update_wrapper(cast(Any, self), function)

    @property
    def name(self) -> str:
        """The name of the step, unless a call gives another."""
        return self.options.get("name") or str(getattr(self.function, "__name__", "step"))

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Add the step to the pipeline that is being defined, or call the function.

        While defining, ``id=`` names this call and ``after=`` orders it, unless the function has such arguments.
        """
        from proa.graph import active_graph

        graph = active_graph()
        if graph is None:
            return self.function(*args, **kwargs)
        return cast(R, graph.add(self, args, kwargs))

    def with_options(self, **options: Any) -> Step[R]:
        """Return the same step with other options; what is not given stays as it is."""
        return Step(self.function, {**self.options, **_checked(options, f"step {self.name!r}")})

    def after(self, *steps: Any) -> Step[R]:
        """Return the same step, to start only once the given ones have succeeded.

        A step is given by its name or by what its call returned.
        """
        return Step(self.function, {**self.options, "after": [*self.options.get("after", ()), *steps]})

    def __repr__(self) -> str:
        return f"<step {self.name}>"


@overload
def step(function: Callable[..., R]) -> Step[R]: ...


@overload
def step(
    *,
    name: Optional[str] = ...,
    enable_cache: Optional[bool] = ...,
    settings: Optional[Mapping[str, Any]] = ...,
    retry: Any = ...,
    timeout: Any = ...,
    resources: Any = ...,
    secrets: Optional[Sequence[str]] = ...,
    output_materializers: Any = ...,
) -> Callable[[Callable[..., R]], Step[R]]: ...


def step(
    function: Optional[Callable[..., R]] = None, **options: Any
) -> Union[Step[R], Callable[[Callable[..., R]], Step[R]]]:
    """Make a function a step.

    Its return annotation names its outputs: ``-> float``, ``-> Annotated[float, "accuracy"]``, or a tuple of these.

    Options: ``name``; ``enable_cache``; ``settings`` (``{"docker": DockerSettings(...), "orchestrator": {...}}``);
    ``retry`` (a number or ``Retry``); ``timeout`` (seconds or "15m"); ``resources`` (``Resources``);
    ``secrets`` (names of secrets, whose keys are environment variables of the step; see also :func:`proa.get_secret`);
    ``output_materializers`` (a materializer, or one for each output name).
    """
    if function is None:
        return lambda decorated: step(decorated).with_options(**options)
    if isinstance(function, Step):
        raise PipelineError(f"step {function.name!r} is decorated twice; remove one @step")
    if not callable(function) or isinstance(function, type):
        raise PipelineError(f"@step decorates functions, not {function!r}; options are given by name: @step(name=...)")
    return Step(function, {})


def _checked(options: Mapping[str, Any], owner: str) -> Dict[str, Any]:
    for key in options:
        if key not in _OPTIONS:
            raise PipelineError(f"{owner}: unknown option {key!r}; {nearest(key, _OPTIONS)}")
    checked = dict(options)
    after = checked.get("after")
    if after is not None and (isinstance(after, str) or not isinstance(after, list)):
        checked["after"] = [after]
    return checked

"""The graph of a pipeline, as it comes into being while the pipeline function runs."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from proa.annotations import Declared, declared_outputs
from proa.errors import PipelineError, nearest
from proa.parameters import contains_handle, literal_problem, whole_literal
from proa.steps import Step

_active: ContextVar[Optional[Graph]] = ContextVar("proa_graph", default=None)


def active_graph() -> Optional[Graph]:
    """Return the graph of the pipeline function that runs now, if one does."""
    return _active.get()


class Handle:
    """Stands for an output of a step inside a pipeline function: pass it to another step."""

    def __init__(self, step: str, output: Optional[str]) -> None:
        self.step = step
        self.output = output

    def __repr__(self) -> str:
        what = f"output {self.output!r}" if self.output else "the end"
        return f"<{what} of step {self.step!r}>"

    def _refuse(self, what: str) -> PipelineError:
        return PipelineError(
            f"{self!r} has no value yet: a pipeline function only connects steps, so it can't {what}; do that in a step"
        )

    def __bool__(self) -> bool:
        raise self._refuse("decide on it")

    def __iter__(self) -> Iterator[Any]:
        raise self._refuse("take it apart (a step with several outputs is annotated -> tuple[A, B])")

    def __getitem__(self, key: Any) -> Any:
        raise self._refuse("index it")


class Handles(Tuple[Handle, ...]):
    """The outputs of a step with several, in order and by name."""

    step: str

    def __getattr__(self, name: str) -> Handle:
        for handle in self:
            if handle.output == name:
                return handle
        if name.startswith("__"):
            raise AttributeError(name)
        known = [handle.output or "" for handle in self]
        raise PipelineError(f"step {self.step!r} has no output {name!r}; {nearest(name, known)}")


class Node:
    """One step of the graph."""

    def __init__(self, name: str, step: Step[Any], explicit: bool) -> None:
        self.name = name
        self.step = step
        self.explicit = explicit
        self.inputs: Dict[str, Dict[str, str]] = {}
        self.parameters: Dict[str, Any] = {}
        self.outputs: Tuple[Declared, ...] = ()
        self.after: List[str] = []


class Graph:
    """The steps of a pipeline and how they depend on each other."""

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        self.nodes: Dict[str, Node] = {}
        self._counts: Dict[str, int] = {}

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make this the graph that called steps are added to."""
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)

    def add(self, step: Step[Any], args: Tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Add a call of a step and return handles of its outputs."""
        own = _own_names(step)
        given = dict(kwargs)
        explicit = given.pop("id", None) if "id" not in own else None
        later = given.pop("after", None) if "after" not in own else None
        node = self._node(step, explicit)
        for name, value in _bound(node, args, given).items():
            _assign(node, name, value)
        for item in [*step.options.get("after", ()), later]:
            node.after.extend(_names(node.name, item))
        node.outputs = declared_outputs(step.function, node.name).declared
        self.nodes[node.name] = node
        return _handles(node)

    def _node(self, step: Step[Any], given: Any) -> Node:
        explicit = given or step.options.get("name")
        name = explicit or step.name
        if not isinstance(name, str) or not name.strip():
            raise PipelineError(f"step {step.name!r}: {name!r} is no name; write a text")
        taken = self.nodes.get(name)
        if taken is not None and (explicit or taken.explicit):
            raise PipelineError(
                f"pipeline {self.pipeline!r} has two steps named {name!r}; "
                'give one of the calls a name of its own: step(..., id="other")'
            )
        base, count = name, self._counts.get(name, 1)
        while name in self.nodes:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count
        return Node(name, step, bool(explicit))

    def check(self) -> None:
        """Raise if there are no steps, if one waits for an unknown one, or if they wait for each other in a cycle."""
        if not self.nodes:
            raise PipelineError(f"pipeline {self.pipeline!r} has no steps; call functions with @step inside it")
        for node in self.nodes.values():
            for name in node.after:
                if name not in self.nodes:
                    raise PipelineError(
                        f"step {node.name!r} comes after {name!r}, which is no step of pipeline "
                        f"{self.pipeline!r}; {nearest(name, self.nodes)}"
                    )
        cycle = self._cycle()
        if cycle:
            raise PipelineError(
                f"the steps of pipeline {self.pipeline!r} wait for each other in a cycle: {' -> '.join(cycle)}; "
                "remove one of the dependencies"
            )

    def _needs(self, name: str) -> List[str]:
        node = self.nodes[name]
        return [given["step"] for given in node.inputs.values() if "step" in given] + node.after

    def _cycle(self) -> List[str]:
        """Return a cycle of steps, the first one repeated at the end; empty if there is none."""
        done: Dict[str, bool] = {}
        for start in self.nodes:
            stack = [(start, iter(self._needs(start)))] if start not in done else []
            done.setdefault(start, False)
            while stack:
                name, rest = stack[-1]
                need = next(rest, None)
                if need is None:
                    done[name] = True
                    stack.pop()
                elif need not in done:
                    done[need] = False
                    stack.append((need, iter(self._needs(need))))
                elif not done[need]:
                    path = [entry[0] for entry in stack]
                    return [*path[path.index(need) :], need][::-1]
        return []


def _own_names(step: Step[Any]) -> List[str]:
    code = getattr(step.function, "__code__", None)
    if code is None:
        return []
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _bound(node: Node, args: Tuple[Any, ...], kwargs: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the arguments by name, with the defaults that can stand in a spec filled in."""
    from inspect import Parameter, signature

    parameters = signature(node.step.function).parameters
    try:
        bound = signature(node.step.function).bind(*args, **kwargs)
    except TypeError as error:
        raise PipelineError(f"step {node.name!r}: {error}; its arguments are ({', '.join(parameters)})") from error
    arguments: Dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            if bound.arguments.get(name):
                raise PipelineError(f"step {node.name!r}: *{name} can't be passed on; give each argument a name")
        elif parameter.kind is Parameter.VAR_KEYWORD:
            arguments.update(bound.arguments.get(name, {}))
        elif name in bound.arguments:
            arguments[name] = bound.arguments[name]
        elif parameter.default is not Parameter.empty and whole_literal(parameter.default):
            arguments[name] = parameter.default
    return arguments


def _assign(node: Node, name: str, value: Any) -> None:
    """Make an argument an input or a parameter of the step."""
    from proa.runs import Output

    if isinstance(value, Handle) and value.output is not None:
        node.inputs[name] = {"step": value.step, "output": value.output}
        return
    if isinstance(value, Output):
        node.inputs[name] = {"artifact": value.digest}
        return
    if isinstance(value, Handle):
        raise PipelineError(
            f"step {node.name!r}: argument {name!r} is the result of step {value.step!r}, which has no output; "
            "annotate what it returns (-> int), or use after= to run one after the other"
        )
    if isinstance(value, Handles):
        raise PipelineError(
            f"step {node.name!r}: argument {name!r} is all {len(value)} outputs of step {value.step!r}; "
            f"take them apart: {', '.join(str(handle.output) for handle in value)} = {value.step}(...)"
        )
    if contains_handle(value, (Handle, Output)):
        raise PipelineError(
            f"step {node.name!r}: argument {name!r} is a {type(value).__name__} that holds outputs of steps; "
            "pass each output as an argument of its own (**kwargs take any number)"
        )
    problem = literal_problem(value)
    if problem:
        raise PipelineError(
            f"step {node.name!r}: argument {name!r} is {problem}, which can't be a parameter; "
            "pass a number, text, bool, None, or a list or dict of these, or make the value in a step and pass "
            "that step's output"
        )
    node.parameters[name] = value


def _names(step: str, item: Any) -> List[str]:
    """Return the names of the steps that an ``after`` stands for."""
    if item is None:
        return []
    if isinstance(item, str):
        return [item]
    if isinstance(item, Handles):
        return [item.step]
    if isinstance(item, Handle):
        return [item.step]
    if isinstance(item, (list, tuple, set)):
        return [name for part in item for name in _names(step, part)]
    if isinstance(item, Step):
        return [item.name]
    raise PipelineError(
        f"step {step!r}: after={item!r} is no step; give what a step's call returned, or the step's name"
    )


def _handles(node: Node) -> Any:
    if not node.outputs:
        return Handle(node.name, None)
    packed = declared_outputs(node.step.function, node.name).packed
    if not packed:
        return Handle(node.name, node.outputs[0].name)
    handles = Handles(Handle(node.name, output.name) for output in node.outputs)
    handles.step = node.name
    return handles

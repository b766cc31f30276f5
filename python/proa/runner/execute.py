"""Calling the step's function between loading its inputs and saving its outputs."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Dict, List, NoReturn

from proa import pipelines
from proa.annotations import argument_annotation, concrete, converted, declared_outputs, fits, show, type_name
from proa.errors import OutputError, PipelineError, ProaError
from proa.loading import resolve_type
from proa.materializers import materializer_for, named_materializer
from proa.materializers.registry import FALL_BACK
from proa.runner.modules import Modules, Nothing
from proa.runner.request import Request, RequestInput, RequestOutput


def execute(request: Request, modules: Modules, times: Dict[str, float]) -> Dict[str, Dict[str, str]]:
    """Run the step and return a description of each output. When its function begins and ends is noted in times."""
    function = _function(modules.get(request.source))
    arguments = _arguments(request, function, modules)
    times["called"] = time.time()
    try:
        value = _called(request, function, arguments)
    finally:
        times["returned"] = time.time()
    values = _values(request, function, value)
    return {output.name: _save(request, output, item, modules) for output, item in zip(request.outputs, values)}


def _function(found: Any) -> Callable[..., Any]:
    from proa.steps import Step

    function: Callable[..., Any] = found.function if isinstance(found, Step) else found
    return function


def _arguments(request: Request, function: Callable[..., Any], modules: Modules) -> Dict[str, Any]:
    arguments: Dict[str, Any] = {}
    for name, value in request.parameters.items():
        arguments[name] = converted(value, argument_annotation(function, name))
    for name, given in request.inputs.items():
        arguments[name] = _load(request, function, name, given, modules)
    return arguments


def _load(request: Request, function: Callable[..., Any], name: str, given: RequestInput, modules: Modules) -> Any:
    annotated = concrete(argument_annotation(function, name)) or object
    kind = resolve_type(given.type, modules.load, default=annotated)
    try:
        return named_materializer(given.materializer, modules.load).load(given.path, kind)
    except Exception as error:
        raise ProaError(
            f"step {request.step!r}: input {name!r} of type {given.type} can't be loaded: {error}"
        ) from error


def _called(request: Request, function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
    code = getattr(function, "__code__", None)
    positional = code.co_varnames[: code.co_posonlyargcount] if code is not None else ()
    first = [arguments.pop(name) for name in positional if name in arguments]
    pipelines.intercept(lambda: _refuse(request.step))
    try:
        return function(*first, **arguments)
    except SystemExit as error:
        if error.code in (None, 0) and not request.outputs:
            return None
        if error.code in (None, 0):
            raise OutputError(
                f"step {request.step!r} called sys.exit before it returned its outputs; return them instead"
            ) from error
        raise
    finally:
        pipelines.intercept(Nothing)


def _refuse(step: str) -> NoReturn:
    raise PipelineError(
        f"step {step!r} called a pipeline, but a running step can't start one; call the step's functions as they are, "
        'and put the pipeline call of a script under `if __name__ == "__main__"`'
    )


def _values(request: Request, function: Callable[..., Any], value: Any) -> List[Any]:
    """Return the values of the outputs, each checked against its annotation."""
    declared, packed = declared_outputs(function, request.step)
    if not request.outputs:
        if value is not None:
            raise OutputError(
                f"step {request.step!r} returned a {type_name(type(value))} but declares no output; "
                "annotate its return with a type, or return nothing"
            )
        return []
    values = _taken_apart(request, value) if packed else [value]
    annotations = {output.name: output.annotation for output in declared}
    return [
        _checked(request, output, item, annotations.get(output.name)) for output, item in zip(request.outputs, values)
    ]


def _taken_apart(request: Request, value: Any) -> List[Any]:
    names = ", ".join(output.name for output in request.outputs)
    count = len(request.outputs)
    if not isinstance(value, (tuple, list)):
        raise OutputError(
            f"step {request.step!r} declares {count} outputs ({names}) but returned a {type_name(type(value))}; "
            "return a tuple"
        )
    if len(value) != count:
        raise OutputError(
            f"step {request.step!r} declares {count} outputs ({names}) but returned {len(value)} values; "
            "return one for each"
        )
    return list(value)


def _checked(request: Request, output: RequestOutput, value: Any, annotation: Any) -> Any:
    if not fits(value, annotation):
        raise OutputError(
            f"step {request.step!r}: output {output.name!r} is declared as {show(annotation)} but the step returned "
            f"a {show(type(value))}; return a {show(annotation)}, or change the annotation"
        )
    return converted(value, annotation)


def _save(request: Request, output: RequestOutput, value: Any, modules: Modules) -> Dict[str, str]:
    name = output.materializer or materializer_for(value)
    materializer = named_materializer(name, modules.load)
    if name == FALL_BACK:
        _warn(request, output, value)
    output.path.mkdir(parents=True, exist_ok=True)
    try:
        materializer.save(value, output.path)
    except Exception as error:
        raise ProaError(
            f"step {request.step!r}: output {output.name!r} of type {type_name(type(value))} can't be saved: {error}"
        ) from error
    return {
        "type": materializer.type_name(value),
        "materializer": name,
        "preview": _preview(materializer, value),
    }


def _preview(materializer: Any, value: Any) -> str:
    try:
        return str(materializer.preview(value)).replace("\n", " ")
    except Exception:
        return type(value).__qualname__


def _warn(request: Request, output: RequestOutput, value: Any) -> None:
    print(
        f"proa: step {request.step!r}: output {output.name!r} is a {type_name(type(value))}, "
        "which has no materializer; it is pickled, and may not load with other versions of its library",
        file=sys.stderr,
    )

"""Turning a pipeline function into its specification: the JSON document that everything after works on."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Tuple

from proa.annotations import Declared, concrete
from proa.digest import Digester
from proa.docker import Project
from proa.errors import PipelineError, nearest
from proa.graph import Graph, Node
from proa.materializers import Materializer, custom_materializer
from proa.parameters import literal_problem
from proa.schedules import schedule_document
from proa.secrets import secret_names
from proa.settings import duration, resources_document, retry_document, settings_document
from proa.source import Source, find_source

if TYPE_CHECKING:
    from proa.pipelines import Pipeline

API_VERSION = "proa/v1"


def compile_pipeline(pipeline: Pipeline, args: Tuple[Any, ...], kwargs: Mapping[str, Any]) -> Dict[str, Any]:
    """Run the pipeline function to see its steps, and return the specification."""
    source = find_source(pipeline.function)
    parameters = _parameters(pipeline, args, kwargs)
    graph = Graph(pipeline.name)
    with graph.active():
        pipeline.function(*args, **kwargs)
    graph.check()
    compiler = _Compiler(source)
    owner = f"pipeline {pipeline.name!r}"
    steps = [compiler.step(node) for node in graph.nodes.values()]
    document: Dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Pipeline",
        "name": pipeline.name,
        "source": {
            "root": str(source.root),
            "main": source.main.relative_to(source.root).as_posix(),
            "python": platform.python_version(),
            "interpreter": sys.executable,
            "code": compiler.code,
        },
        "parameters": parameters,
        "cache": _flag(pipeline.options.get("enable_cache"), owner),
        "settings": settings_document(pipeline.options.get("settings"), owner, compiler.project),
        "secrets": secret_names(pipeline.options.get("secrets"), owner),
        "schedule": schedule_document(pipeline.options.get("schedule"), owner),
        "steps": steps,
    }
    return _without_empty(document)


class _Compiler:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._digester = Digester(source)
        self.project = Project(source.root, source.main)

    @property
    def code(self) -> Dict[str, Dict[str, str]]:
        """What the digests of the steps' code are made of, for people who ask what has changed."""
        return self._digester.parts

    def step(self, node: Node) -> Dict[str, Any]:
        options, owner = node.step.options, f"step {node.name!r}"
        function = node.step.function
        reference = self._source.reference(function)
        _check_returns(self._digester, node)
        retry, resources = options.get("retry"), _resources(options, owner)
        document = {
            "name": node.name,
            "run": {"python": {"source": reference, "digest": self._digester.digest(function)}},
            "inputs": node.inputs,
            "parameters": node.parameters,
            "outputs": self._outputs(node),
            "after": sorted(set(node.after)),
            "cache": _flag(options.get("enable_cache"), owner),
            "retry": None if retry is None else retry_document(retry, owner),
            "timeout": duration(f"{owner}: timeout", options.get("timeout")),
            "resources": None if resources is None else resources_document(resources, owner),
            "settings": settings_document(options.get("settings"), owner, self.project),
            "secrets": secret_names(options.get("secrets"), owner),
        }
        return _without_empty(document)

    def _outputs(self, node: Node) -> List[Dict[str, Any]]:
        chosen = _chosen_materializers(node)
        return [self._output(node, output, chosen.get(output.name)) for output in node.outputs]

    def _output(self, node: Node, output: Declared, chosen: Any) -> Dict[str, Any]:
        kind = concrete(output.annotation)
        document: Dict[str, Any] = {"name": output.name}
        if kind is not None:
            document["type"] = self._source.type_name(kind)
        materializer = chosen or (kind and custom_materializer(kind))
        if materializer is None:
            return document
        if not isinstance(materializer, type) or not issubclass(materializer, Materializer):
            raise PipelineError(
                f"step {node.name!r}: the materializer of output {output.name!r} is {materializer!r}; "
                "give a class derived from proa.Materializer"
            )
        document["materializer"] = self._source.reference(materializer)
        if not materializer.__module__.startswith("proa.materializers."):
            document["digest"] = self._digester.digest(materializer)
        return document


def _chosen_materializers(node: Node) -> Dict[str, Any]:
    given = node.step.options.get("output_materializers")
    names = [output.name for output in node.outputs]
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {name: given for name in names}
    for name in given:
        if name not in names:
            raise PipelineError(
                f"step {node.name!r}: output_materializers names output {name!r}, which it doesn't have; "
                f"{nearest(name, names)}"
            )
    return dict(given)


def _check_returns(digester: Digester, node: Node) -> None:
    """Raise if a step returns something that its annotation doesn't say."""
    returns = digester.returns(node.step.function)
    if returns == "generator":
        raise PipelineError(f"step {node.name!r} is a generator; return its values as a list instead")
    if returns == "coroutine":
        raise PipelineError(f"step {node.name!r} is an async function; use asyncio.run(...) inside a plain one")
    if returns == "value" and "return" not in getattr(node.step.function, "__annotations__", {}):
        name = node.step.function.__name__
        raise PipelineError(
            f"step {node.name!r} returns a value but has no return annotation, so its outputs are not known; "
            f'write `def {name}(...) -> float:`, `-> Annotated[float, "name"]`, `-> tuple[A, B]`, '
            "or `-> None` if the value is of no use"
        )


def _parameters(pipeline: Pipeline, args: Tuple[Any, ...], kwargs: Mapping[str, Any]) -> Dict[str, Any]:
    from inspect import signature

    parameters: Dict[str, Any] = {}
    try:
        bound = signature(pipeline.function).bind(*args, **kwargs)
    except TypeError as error:
        raise PipelineError(f"pipeline {pipeline.name!r}: {error}") from error
    bound.apply_defaults()
    for name, value in bound.arguments.items():
        problem = literal_problem(value)
        if problem:
            raise PipelineError(
                f"pipeline {pipeline.name!r}: argument {name!r} is {problem}, which can't be recorded; "
                "pass a number, text, bool, None, or a list or dict of these"
            )
        parameters[name] = value
    return parameters


def _resources(options: Mapping[str, Any], owner: str) -> Any:
    """Return a step's resources, which may stand among its settings, too."""
    settings = options.get("settings")
    among = settings.get("resources") if isinstance(settings, Mapping) else None
    if among is not None and options.get("resources") is not None:
        raise PipelineError(f"{owner}: resources are given twice, as an option and among the settings; remove one")
    return options.get("resources") if among is None else among


def _flag(value: Any, owner: str) -> Any:
    if value is not None and not isinstance(value, bool):
        raise PipelineError(f"{owner}: enable_cache is {value!r}; write True or False")
    return value


def _without_empty(document: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value != {} and value != []}

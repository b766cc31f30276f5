"""Settings of pipelines and steps: what image they run in, how often they are tried, and what they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from proa.errors import PipelineError, nearest
from proa.kubernetes import KUBERNETES_KEY, orchestrator_document

_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+\Z")

#: Expands the path of a requirements file into its lines.
Expand = Callable[[Path], List[str]]


class DockerSettings:
    """What the image of a step is made of. No Docker is needed to build it.

    ``requirements`` is a list of requirement specifiers, or the path of a requirements file, relative to the script.
    """

    def __init__(
        self,
        *,
        parent_image: Optional[str] = None,
        requirements: Union[Sequence[str], str, Path, None] = None,
        environment: Optional[Mapping[str, str]] = None,
        platform: Optional[str] = None,
    ) -> None:
        self.parent_image = parent_image
        self.requirements = requirements
        self.environment = environment
        self.platform = platform

    def __repr__(self) -> str:
        return _show(self)

    def document(self, expand: Expand) -> Dict[str, Any]:
        """Return the settings as they stand in a spec."""
        requirements = self.requirements
        if isinstance(requirements, (str, Path)):
            requirements = expand(Path(requirements))
        _strings("requirements", requirements)
        if self.environment is not None:
            _strings("environment", list(self.environment) + list(self.environment.values()))
        return _filled(
            parent_image=self.parent_image,
            requirements=list(requirements) if requirements else None,
            environment=dict(self.environment) if self.environment else None,
            platform=self.platform,
        )


class OnOOM:
    """How the memory of attempts that ran out of it grows: ``OnOOM(max_memory="16Gi", memory_factor=2)``.

    The step's own ``resources`` say how much the first attempt has.
    """

    def __init__(self, *, max_memory: str, memory_factor: Optional[float] = None) -> None:
        self.max_memory = max_memory
        self.memory_factor = memory_factor

    def __repr__(self) -> str:
        return _show(self)

    def document(self) -> Dict[str, Any]:
        """Return the policy as it stands in a spec."""
        return {"max_memory": self.max_memory, **_filled(memory_factor=self.memory_factor)}


class Retry:
    """How often a failed attempt is tried again. Failures of the infrastructure have a budget of their own.

    ``on`` lists the kinds of failure to try again after: ``user``, ``oom`` and ``timeout`` unless given, and also
    ``image``, ``unschedulable`` and ``config``. ``infrastructure`` is that other budget, 3 unless given.
    With ``on_oom`` an attempt that ran out of memory is tried again with more of it, which does not count in ``max``.
    """

    def __init__(
        self,
        max: int = 0,
        *,
        delay: Any = None,
        factor: Optional[float] = None,
        cap: Any = None,
        on: Optional[Sequence[str]] = None,
        infrastructure: Optional[int] = None,
        on_oom: Any = None,
    ) -> None:
        self.max = max
        self.delay = delay
        self.factor = factor
        self.cap = cap
        self.on = on
        self.infrastructure = infrastructure
        self.on_oom = on_oom

    def __repr__(self) -> str:
        return _show(self)

    def document(self) -> Dict[str, Any]:
        """Return the policy as it stands in a spec."""
        if isinstance(self.max, bool) or not isinstance(self.max, int) or self.max < 0:
            raise PipelineError(f"retry: max is {self.max!r}; write the number of further attempts, 0 or more")
        delay, cap = duration("retry delay", self.delay), duration("retry cap", self.cap)
        on_oom = None if self.on_oom is None else _as(OnOOM, self.on_oom, "retry: on_oom").document()
        on = None if self.on is None else [self.on] if isinstance(self.on, str) else list(self.on)
        return {
            "max": self.max,
            **_filled(
                delay=delay,
                factor=self.factor,
                cap=cap,
                on=on,
                infrastructure=self.infrastructure,
                on_oom=on_oom,
            ),
        }


class Resources:
    """What one attempt of a step asks for, in Kubernetes notation: ``Resources(cpu="500m", memory="2Gi", gpu=1)``.

    ``gpu_resource`` is the name under which nodes offer what ``gpu`` counts ("nvidia.com/gpu"), ``ephemeral_storage``
    is room on the node's disk, ``shared_memory`` the size of /dev/shm.
    """

    def __init__(
        self,
        *,
        cpu: Union[str, int, float, None] = None,
        memory: Optional[str] = None,
        gpu: Optional[int] = None,
        gpu_resource: Optional[str] = None,
        ephemeral_storage: Optional[str] = None,
        shared_memory: Optional[str] = None,
    ) -> None:
        self.cpu = cpu
        self.memory = memory
        self.gpu = gpu
        self.gpu_resource = gpu_resource
        self.ephemeral_storage = ephemeral_storage
        self.shared_memory = shared_memory

    def __repr__(self) -> str:
        return _show(self)

    def document(self) -> Dict[str, Any]:
        """Return the resources as they stand in a spec."""
        cpu = None if self.cpu is None else str(self.cpu)
        return _filled(
            cpu=cpu,
            memory=self.memory,
            gpu=self.gpu,
            gpu_resource=self.gpu_resource,
            ephemeral_storage=self.ephemeral_storage,
            shared_memory=self.shared_memory,
        )


class ResourceSettings:
    """Resources under ZenML's names, for ``settings={"resources": ResourceSettings(cpu_count=2, memory="4GB")}``."""

    def __init__(
        self,
        *,
        cpu_count: Union[int, float, None] = None,
        gpu_count: Optional[int] = None,
        memory: Optional[str] = None,
    ) -> None:
        self.cpu_count = cpu_count
        self.gpu_count = gpu_count
        self.memory = memory

    def __repr__(self) -> str:
        return _show(self)

    def resources(self) -> Resources:
        """Return them under our own names."""
        memory = self.memory
        if memory is not None and memory.endswith("B"):  # "4GB", "512MiB"
            memory = memory[:-1].replace("K", "k") if memory.endswith("KB") else memory[:-1]
        return Resources(cpu=self.cpu_count, memory=memory, gpu=self.gpu_count)


def settings_document(settings: Any, owner: str, expand: Expand) -> Dict[str, Any]:
    """Return settings as they stand in a spec. owner names the step or pipeline in errors."""
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise PipelineError(f'{owner}: settings is a {type(settings).__name__}; write {{"docker": ..., ...}}')
    _known(settings, ("docker", "orchestrator", KUBERNETES_KEY, "resources"), f"{owner}: settings")
    document: Dict[str, Any] = {}
    if settings.get("docker") is not None:
        docker = _as(DockerSettings, settings["docker"], f"{owner}: docker settings")
        document["docker"] = docker.document(expand)
    orchestrator: Dict[str, Any] = {}
    for key in (KUBERNETES_KEY, "orchestrator"):
        if settings.get(key):
            orchestrator.update(orchestrator_document(settings[key], f"{owner}: {key} settings"))
    document["orchestrator"] = orchestrator
    return {key: value for key, value in document.items() if value}


def retry_document(retry: Any, owner: str) -> Dict[str, Any]:
    """Return a retry policy as it stands in a spec; a bare number is the number of further attempts."""
    if isinstance(retry, int) and not isinstance(retry, bool):
        retry = Retry(retry)
    document: Dict[str, Any] = _as(Retry, retry, f"{owner}: retry").document()
    return document


def resources_document(resources: Any, owner: str) -> Dict[str, Any]:
    """Return resources as they stand in a spec."""
    if isinstance(resources, Mapping) and ("cpu_count" in resources or "gpu_count" in resources):
        resources = _as(ResourceSettings, resources, f"{owner}: resources")
    if isinstance(resources, ResourceSettings):
        resources = resources.resources()
    document: Dict[str, Any] = _as(Resources, resources, f"{owner}: resources").document()
    return document


def duration(what: str, value: Any) -> Optional[str]:
    """Return a duration ("90s") of a number of seconds, a timedelta, or a text that is one already."""
    if value is None:
        return None
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9:
        return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, str) and _DURATION.match(value):
        return value
    raise PipelineError(f'{what}: {value!r} is no duration; write seconds (90) or a text such as "90s", "15m", "2h"')


def _as(kind: Any, value: Any, what: str) -> Any:
    """Return value as an instance of kind, made from a mapping if it is one."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise PipelineError(
            f"{what}: {value!r} is of type {type(value).__name__}; write {kind.__name__}(...) or a dict"
        )
    known = [name for name in kind.__init__.__annotations__ if name != "return"]
    _known(value, known, what)
    try:
        return kind(**value)
    except TypeError as error:
        raise PipelineError(f"{what}: {error}") from error


def _known(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    for key in given:
        if key not in known:
            raise PipelineError(f"{what}: unknown key {key!r}; {nearest(str(key), known)}")


def _strings(what: str, values: Any) -> None:
    for value in values or ():
        if not isinstance(value, str):
            raise PipelineError(
                f"docker settings: {what} holds {value!r}, which is of type {type(value).__name__}; write text"
            )


def _filled(**fields: Any) -> Dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _show(value: Any) -> str:
    fields = ", ".join(f"{name}={field!r}" for name, field in vars(value).items() if field is not None)
    return f"{type(value).__name__}({fields})"

"""Settings of pipelines and steps: what image they run in, how often they are tried, and what they need."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from proa.docker import DockerSettings, Project
from proa.errors import PipelineError
from proa.fields import filled, known, made, show
from proa.kubernetes import KUBERNETES_KEY, orchestrator_document

_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+\Z")


class OnOOM:
    """How the memory of attempts that ran out of it grows: ``OnOOM(max_memory="16Gi", memory_factor=2)``.

    The step's own ``resources`` say how much the first attempt has.
    """

    def __init__(self, *, max_memory: str, memory_factor: Optional[float] = None) -> None:
        self.max_memory = max_memory
        self.memory_factor = memory_factor

    def __repr__(self) -> str:
        return show(self)

    def document(self) -> Dict[str, Any]:
        """Return the policy as it stands in a spec."""
        return {"max_memory": self.max_memory, **filled(memory_factor=self.memory_factor)}


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
        return show(self)

    def document(self) -> Dict[str, Any]:
        """Return the policy as it stands in a spec."""
        if isinstance(self.max, bool) or not isinstance(self.max, int) or self.max < 0:
            raise PipelineError(f"retry: max is {self.max!r}; write the number of further attempts, 0 or more")
        delay, cap = duration("retry delay", self.delay), duration("retry cap", self.cap)
        on_oom = None if self.on_oom is None else made(OnOOM, self.on_oom, "retry: on_oom").document()
        on = None if self.on is None else [self.on] if isinstance(self.on, str) else list(self.on)
        return {
            "max": self.max,
            **filled(
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
        return show(self)

    def document(self) -> Dict[str, Any]:
        """Return the resources as they stand in a spec."""
        cpu = None if self.cpu is None else str(self.cpu)
        return filled(
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
        return show(self)

    def resources(self) -> Resources:
        """Return them under our own names."""
        memory = self.memory
        if memory is not None and memory.endswith("B"):  # "4GB", "512MiB"
            memory = memory[:-1].replace("K", "k") if memory.endswith("KB") else memory[:-1]
        return Resources(cpu=self.cpu_count, memory=memory, gpu=self.gpu_count)


def settings_document(settings: Any, owner: str, project: Project) -> Dict[str, Any]:
    """Return settings as they stand in a spec. owner names the step or pipeline in errors."""
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise PipelineError(f'{owner}: settings is a {type(settings).__name__}; write {{"docker": ..., ...}}')
    known(settings, ("docker", "orchestrator", KUBERNETES_KEY, "resources"), f"{owner}: settings")
    document: Dict[str, Any] = {}
    if settings.get("docker") is not None:
        docker = made(DockerSettings, settings["docker"], f"{owner}: docker settings")
        document["docker"] = docker.document(project)
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
    document: Dict[str, Any] = made(Retry, retry, f"{owner}: retry").document()
    return document


def resources_document(resources: Any, owner: str) -> Dict[str, Any]:
    """Return resources as they stand in a spec."""
    if isinstance(resources, Mapping) and ("cpu_count" in resources or "gpu_count" in resources):
        resources = made(ResourceSettings, resources, f"{owner}: resources")
    if isinstance(resources, ResourceSettings):
        resources = resources.resources()
    document: Dict[str, Any] = made(Resources, resources, f"{owner}: resources").document()
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

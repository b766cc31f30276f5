"""proa: machine-learning pipelines as plain Python functions, run on this machine or on Kubernetes.

Names are loaded on first use, so that ``import proa`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proa.context import StepContext, step_context
    from proa.docker import DockerConfiguration, DockerSettings
    from proa.errors import MaterializerError, OutputError, PipelineError, ProaError, RunFailed
    from proa.kubernetes import KubernetesOrchestratorSettings, KubernetesPodSettings
    from proa.materializers import Materializer
    from proa.pipelines import Pipeline, pipeline
    from proa.runs import Output, Run, StepRun, get_run
    from proa.schedules import Schedule
    from proa.secrets import get_secret
    from proa.settings import OnOOM, Resources, ResourceSettings, Retry
    from proa.steps import Step, step

__version__ = "0.1.0"

_HOMES = {
    "DockerConfiguration": "docker",
    "DockerSettings": "docker",
    "KubernetesOrchestratorSettings": "kubernetes",
    "KubernetesPodSettings": "kubernetes",
    "Materializer": "materializers",
    "MaterializerError": "errors",
    "OnOOM": "settings",
    "Output": "runs",
    "OutputError": "errors",
    "Pipeline": "pipelines",
    "PipelineError": "errors",
    "ProaError": "errors",
    "ResourceSettings": "settings",
    "Resources": "settings",
    "Retry": "settings",
    "Run": "runs",
    "RunFailed": "errors",
    "Schedule": "schedules",
    "Step": "steps",
    "StepContext": "context",
    "StepRun": "runs",
    "get_run": "runs",
    "get_secret": "secrets",
    "pipeline": "pipelines",
    "step": "steps",
    "step_context": "context",
}

__all__ = [
    "DockerConfiguration",
    "DockerSettings",
    "KubernetesOrchestratorSettings",
    "KubernetesPodSettings",
    "Materializer",
    "MaterializerError",
    "OnOOM",
    "Output",
    "OutputError",
    "Pipeline",
    "PipelineError",
    "ProaError",
    "ResourceSettings",
    "Resources",
    "Retry",
    "Run",
    "RunFailed",
    "Schedule",
    "Step",
    "StepContext",
    "StepRun",
    "get_run",
    "get_secret",
    "pipeline",
    "step",
    "step_context",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'proa' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"proa.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

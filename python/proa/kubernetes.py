"""Settings of the Kubernetes orchestrator as objects, under the names that ZenML's flavor gives them."""

from __future__ import annotations

import warnings
from typing import Any, Dict, Mapping

from proa.errors import PipelineError

#: The key of these settings among those of a step or pipeline; "orchestrator" is the same for every orchestrator.
KUBERNETES_KEY = "orchestrator.kubernetes"

#: What ZenML's flavor has and proa doesn't need: it neither polls nor wraps every step in a Job.
_WITHOUT_EFFECT = (
    "backoff_limit_margin",
    "interrupt_check_interval",
    "job_monitoring_delay",
    "job_monitoring_interval",
    "parallel_step_startup_waiting_period",
    "pass_zenml_token_as_secret",
    "pod_failure_backoff",
    "pod_failure_max_retries",
    "pod_failure_retry_delay",
    "pod_startup_timeout",
    "prevent_orchestrator_pod_caching",
    "always_build_pipeline_image",
    "skip_owner_references",
    "stream_step_logs",
)


class KubernetesPodSettings:
    """Settings of a pod: ``node_selectors``, ``tolerations``, ``volumes`` and so on, as in a pod's manifest.

    Values may be models of the package ``kubernetes``, too. Which fields there are, `proa orchestrator flavor describe
    kubernetes` tells; an unknown one is an error when the pipeline runs.
    """

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def __repr__(self) -> str:
        return f"KubernetesPodSettings({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"


class KubernetesOrchestratorSettings(KubernetesPodSettings):
    """Settings of the Kubernetes orchestrator: ``settings={"orchestrator": KubernetesOrchestratorSettings(...)}``."""

    def __repr__(self) -> str:
        return "KubernetesOrchestratorSettings" + super().__repr__()[len("KubernetesPodSettings") :]


def orchestrator_document(settings: Any, what: str) -> Dict[str, Any]:
    """Return an orchestrator's settings as they stand in a spec."""
    plain = _plain(settings)
    if not isinstance(plain, Mapping):
        raise PipelineError(f"{what} are a {type(settings).__name__}; write a dict, or the settings' own object")
    document = {name: value for name, value in plain.items() if value is not None}
    for name in _WITHOUT_EFFECT:
        if name in document:
            warnings.warn(f"{what}: {name} has no effect and is not needed; remove it", stacklevel=2)
            del document[name]
    return document


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it. Models of the package kubernetes know their fields' names in a manifest."""
    if isinstance(value, KubernetesPodSettings):
        return _plain(value.fields)
    names = getattr(value, "attribute_map", None)
    if isinstance(names, Mapping):
        fields = {wire: _plain(getattr(value, name, None)) for name, wire in names.items()}
        return {name: field for name, field in fields.items() if field is not None}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

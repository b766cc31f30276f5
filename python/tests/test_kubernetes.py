"""Settings objects of the Kubernetes orchestrator become what stands in a spec."""

from __future__ import annotations

from typing import Any, ClassVar, Dict

import pytest

from proa import KubernetesOrchestratorSettings, KubernetesPodSettings, PipelineError, Resources, ResourceSettings
from proa.kubernetes import orchestrator_document
from proa.settings import resources_document, settings_document


class Toleration:
    """What the package kubernetes makes its models like."""

    attribute_map: ClassVar[Dict[str, str]] = {
        "key": "key",
        "toleration_seconds": "tolerationSeconds",
        "effect": "effect",
    }

    def __init__(self, **fields: Any) -> None:
        vars(self).update(dict.fromkeys(self.attribute_map), **fields)


def test_settings_objects() -> None:
    pods = KubernetesPodSettings(
        node_selectors={"pool": "gpu"}, tolerations=[Toleration(key="spot", toleration_seconds=3)]
    )
    settings = KubernetesOrchestratorSettings(synchronous=False, pod_settings=pods, service_account_name=None)
    want = {
        "synchronous": False,
        "pod_settings": {"node_selectors": {"pool": "gpu"}, "tolerations": [{"key": "spot", "tolerationSeconds": 3}]},
    }
    assert orchestrator_document(settings, "x") == want
    for key in ("orchestrator", "orchestrator.kubernetes"):
        assert settings_document({key: settings}, "x", lambda path: []) == {"orchestrator": want}
    assert "pod_settings" in repr(settings)


def test_the_general_key_goes_first() -> None:
    settings = {"orchestrator": {"queue": "a"}, "orchestrator.kubernetes": {"queue": "b", "keep_pods": "all"}}
    want = {"orchestrator": {"queue": "a", "keep_pods": "all"}}
    assert settings_document(settings, "x", lambda path: []) == want


def test_what_has_no_effect_is_told() -> None:
    with pytest.warns(UserWarning, match="job_monitoring_interval has no effect"):
        assert orchestrator_document({"job_monitoring_interval": 3, "queue": "a"}, "x") == {"queue": "a"}


def test_other_types_are_refused() -> None:
    with pytest.raises(PipelineError, match="orchestrator settings are a str; write a dict"):
        settings_document({"orchestrator": "fast"}, "x", lambda path: [])


@pytest.mark.parametrize(
    ("given", "memory"), [("4GB", "4G"), ("512MiB", "512Mi"), ("100KB", "100k"), ("2Gi", "2Gi"), (None, None)]
)
def test_resource_settings(given: str, memory: str) -> None:
    document = resources_document(ResourceSettings(cpu_count=2, gpu_count=1, memory=given), "x")
    assert document == {"cpu": "2", "gpu": 1, **({} if memory is None else {"memory": memory})}
    assert resources_document({"cpu_count": 0.5}, "x") == {"cpu": "0.5"}


def test_all_resources() -> None:
    resources = Resources(gpu=1, gpu_resource="amd.com/gpu", ephemeral_storage="1Gi", shared_memory="64Mi")
    document = resources_document(resources, "x")
    assert document == {"gpu": 1, "gpu_resource": "amd.com/gpu", "ephemeral_storage": "1Gi", "shared_memory": "64Mi"}

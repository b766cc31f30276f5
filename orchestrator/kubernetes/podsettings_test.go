package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// everyPodSetting sets each field once, also some that proa sets itself.
const everyPodSetting = `{
  "node_selectors": {"pool": "gpu"},
  "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}}},
  "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
  "resources": {"requests": {"cpu": "2", "ephemeral-storage": "1Gi"}, "limits": {"example.com/fpga": "1"}},
  "annotations": {"team": "vision", "proa.dev/run-name": "mine"},
  "labels": {"team": "vision", "app.kubernetes.io/managed-by": "me"},
  "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
  "volume_mounts": [{"name": "data", "mountPath": "/data"}],
  "env": [{"name": "MODE", "value": "test"}, {"name": "PROA_RUN", "value": "mine"}],
  "env_from": [{"secretRef": {"name": "tokens"}}],
  "image_pull_secrets": ["registry"],
  "host_ipc": true,
  "scheduler_name": "batch",
  "priority_class_name": "low",
  "runtime_class_name": "gvisor",
  "security_context": {"runAsUser": 1000},
  "additional_pod_spec_args": {"dnsPolicy": "None", "containers": [{"name": "step", "workingDir": "/elsewhere"}]}
}`

func TestPodSettings(t *testing.T) {
	a := testAttempt()
	a.Settings = map[string]json.RawMessage{"pod_settings": json.RawMessage(everyPodSetting)}
	pod, err := BuildPod(testConfig(), a)
	if err != nil {
		t.Fatal(err)
	}
	goldenYAML(t, "pod-settings.yaml", pod)
	if pod.Labels[LabelManagedBy] != managedBy || pod.Labels["team"] != "vision" {
		t.Errorf("labels are %v", pod.Labels)
	}
	env := map[string]string{}
	for _, e := range pod.Spec.Containers[0].Env {
		env[e.Name] = e.Value // the last one counts, as it does for a container
	}
	if env["PROA_RUN"] != a.Run || env["MODE"] != "test" {
		t.Errorf("the environment is %v", env)
	}
	if len(pod.Spec.Containers) != 1 || pod.Spec.Containers[0].WorkingDir != "/elsewhere" || pod.Spec.Containers[0].Image != a.Image {
		t.Errorf("the patch made %+v", pod.Spec.Containers)
	}
	if q := pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]; q.String() != "2" {
		t.Errorf("the processor is %s", q.String())
	}
}

func TestPodSettingsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{"node_selector": {}}`:                              `did you mean "node_selectors"?`,
		`{"tolerations": [{"kee": "gpu"}]}`:                  `unknown field "kee" in tolerations[0]: did you mean "key"?`,
		`{"host_ipc": "yes"}`:                                "host_ipc must be a bool",
		`{"additional_pod_spec_args": {"dnsPolicie": ""}}`:   `did you mean "dnsPolicy"?`,
		`{"resources": {"requests": {"memory": "1Gibber"}}}`: "quantit",
	} {
		if _, err := ParsePodSettings([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

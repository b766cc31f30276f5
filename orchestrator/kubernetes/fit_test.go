package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/proa-ml/proa/step"
)

// Attempts share a pod only if all that one can leave in it is found and removed; the launcher is told where that is.
func TestWhatAttemptsShare(t *testing.T) {
	for name, test := range map[string]struct{ settings, scratch string }{
		"nothing":             {`{}`, "/dev/shm:/tmp"},
		"a volume that stays": {`{"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "a"}}], "volume_mounts": [{"name": "a", "mountPath": "/a"}]}`, "/dev/shm:/tmp"},
		"a folder of the pod": {`{"volumes": [{"name": "a", "emptyDir": {}}], "volume_mounts": [{"name": "a", "mountPath": "/cache/"}]}`, "/cache:/dev/shm:/tmp"},
		"below it":            {`{"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "b"}}], "volume_mounts": [{"name": "a", "mountPath": "/cache"}, {"name": "b", "mountPath": "/cache/b"}]}`, ""},
		"below /tmp":          {`{"volumes": [{"name": "a", "emptyDir": {}}], "volume_mounts": [{"name": "a", "mountPath": "/tmp/a"}]}`, ""},
		"a part of it":        {`{"volumes": [{"name": "a", "emptyDir": {}}], "volume_mounts": [{"name": "a", "mountPath": "/a", "subPath": "b"}]}`, ""},
		"with another":        {`{"volumes": [{"name": "a", "emptyDir": {}}], "volume_mounts": [{"name": "a", "mountPath": "/a"}], "sidecars": [{"name": "s", "image": "i", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}]}`, ""},
		"the node's memory":   {`{"volumes": [{"name": "a", "hostPath": {"path": "/dev/shm"}}], "volume_mounts": [{"name": "a", "mountPath": "/dev/shm"}]}`, ""},
		"the node's IPC":      {`{"host_ipc": true}`, ""},
		"the image's folders": {`{"security_context": {"runAsUser": 1000}}`, ""},
		"a deadline for all":  {`{"additional_pod_spec_args": {"activeDeadlineSeconds": 60}}`, ""},
		"none but its own":    {`{"security_context": {"readOnlyRootFilesystem": true}}`, "/dev/shm:/tmp"},
	} {
		a := testAttempt()
		a.Settings = map[string]json.RawMessage{"pod_settings": json.RawMessage(test.settings)}
		pod, err := BuildPod(testConfig(), a)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		env := map[string]string{}
		for _, e := range pod.Spec.Containers[0].Env {
			env[e.Name] = e.Value
		}
		shared := test.scratch != ""
		if env[step.ScratchEnv] != test.scratch || (env[step.PodEnv] != "") != shared || (pod.Annotations[annotationFit] != "") != shared {
			t.Errorf("%s: scratch %q, not %q; pod %q, fit %q", name, env[step.ScratchEnv], test.scratch, env[step.PodEnv], pod.Annotations[annotationFit])
		}
	}
}

// Whose a pod is now shows in its labels, which `kubectl get pods -L proa.dev/step` lists, and in its annotations.
func TestAPodHandedOver(t *testing.T) {
	next := testAttempt()
	next.Step, next.Name, next.Number = "evaluator", "evaluator-1", 1
	pod, err := BuildPod(testConfig(), next)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := handOver(pod, "trainer-1")
	if err != nil {
		t.Fatal(err)
	}
	var operations []struct{ Op, Path, Value string }
	if err := json.Unmarshal(patch, &operations); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range operations {
		got[o.Op+" "+strings.ReplaceAll(o.Path, "~1", "/")] = o.Value
	}
	for path, want := range map[string]string{
		"test /metadata/annotations/" + annotationTenant:    "trainer-1",
		"replace /metadata/annotations/" + annotationTenant: "evaluator-1",
		"replace /metadata/annotations/" + annotationStep:   "evaluator",
		"replace /metadata/labels/" + LabelStep:             "evaluator",
		"replace /metadata/labels/" + LabelAttempt:          "1",
	} {
		if got[path] != want {
			t.Errorf("%s: %q, not %q", path, got[path], want)
		}
	}
	if operations[0].Op != "test" {
		t.Errorf("the patch begins with %v: it has to be refused as a whole if the pod is another's", operations[0])
	}
}

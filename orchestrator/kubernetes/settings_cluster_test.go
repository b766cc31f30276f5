package kubernetes

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// settings reads settings that are written as JSON objects.
func settings(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func (w *world) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod, err := w.api.CoreV1().Pods(w.client.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// admit lets the namespace take any pod.
func (w *world) admit(t *testing.T) {
	t.Helper()
	patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`)
	if _, err := w.api.CoreV1().Namespaces().Patch(t.Context(), w.client.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// What a step's settings and resources say is read off its live pod.
func TestClusterStepSettings(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "trainer"}}
	if _, err := w.api.CoreV1().ServiceAccounts(w.client.namespace).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings  string
		resources *spec.Resources
		// want is what the live pod has.
		want func(pod *corev1.Pod) bool
	}{
		"account": {settings: `{"step_pod_service_account_name":"trainer"}`, want: func(pod *corev1.Pod) bool {
			return pod.Spec.ServiceAccountName == "trainer" && *pod.Spec.AutomountServiceAccountToken && mounts(pod, "/var/run/secrets/kubernetes.io/serviceaccount")
		}},
		"no-account": {settings: `{}`, want: func(pod *corev1.Pod) bool {
			return pod.Spec.ServiceAccountName == "default" && !mounts(pod, "/var/run/secrets/kubernetes.io/serviceaccount")
		}},
		"queue": {settings: `{"queue":"team"}`, want: func(pod *corev1.Pod) bool { return pod.Labels[LabelQueue] == "team" }},
		"resources": {resources: &spec.Resources{CPU: "10m", Memory: "64Mi", EphemeralStorage: "50Mi", SharedMemory: "16Mi"}, want: func(pod *corev1.Pod) bool {
			limit := pod.Spec.Containers[0].Resources.Limits[corev1.ResourceEphemeralStorage]
			return limit.Cmp(resource.MustParse("50Mi")) == 0 && mounts(pod, "/dev/shm")
		}},
		"containers": {settings: `{"pod_settings":{"init_containers":[{"name":"before","image":"{{ image }}","env":[{"name":"PROA_ATTEMPT","value":"silent-0"}]}],
			"sidecars":[{"name":"beside","image":"{{image}}","env":[{"name":"PROA_ATTEMPT","value":"mute-0"}]}]}}`, want: func(pod *corev1.Pod) bool {
			s := pod.Status.InitContainerStatuses
			return len(s) == 2 && s[0].Name == "beside" && s[0].State.Running != nil && s[1].State.Terminated != nil && s[1].State.Terminated.ExitCode == 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.attempt("run-1", "block-"+name)
			a.Resources = c.resources
			if c.settings != "" {
				a.Settings = settings(t, c.settings)
			}
			start(t, o, a)
			h.running(t, a.Name)
			if pod := w.pod(t, a.Name); !c.want(pod) {
				t.Errorf("the pod is %+v", pod)
			}
		})
	}
	t.Run("gpu", func(t *testing.T) { // no node here has one, which the scheduler says
		a := w.attempt("run-1", "told-gpu")
		a.Resources = &spec.Resources{GPU: 2, GPUResource: "example.com/accelerator"}
		a.Settings = settings(t, `{"pending_timeout":2}`)
		start(t, o, a)
		if end := h.ended(t, a.Name); kindOf(end.Failure) != step.FailureUnschedulable || !strings.Contains(end.Failure.Message, "Insufficient example.com/accelerator") {
			t.Errorf("ended with %+v, want the scheduler's words after two seconds", end.Failure)
		}
	})
	t.Run("refused", func(t *testing.T) {
		a := w.attempt("run-1", "told-privileged")
		a.Settings = settings(t, `{"privileged":true}`)
		if err := o.Start(t.Context(), a); err == nil || !strings.Contains(err.Error(), "Pod Security level refuses it") {
			t.Errorf("got %v, want to be told of the Pod Security level", err)
		}
		a.Settings = settings(t, `{"step_pod_service_account_name":"nobody"}`)
		if err := o.Start(t.Context(), a); err == nil || !strings.Contains(err.Error(), "service account does not exist") {
			t.Errorf("got %v, want to be told that there is no such service account", err)
		}
	})
	w.admit(t)
	t.Run("privileged", func(t *testing.T) {
		a := w.attempt("run-1", "block-privileged")
		a.Settings = settings(t, `{"privileged":true}`)
		start(t, o, a)
		h.running(t, a.Name)
		if pod := w.pod(t, a.Name); !*pod.Spec.Containers[0].SecurityContext.Privileged {
			t.Errorf("the container has %+v", pod.Spec.Containers[0].SecurityContext)
		}
	})
}

func mounts(pod *corev1.Pod, path string) bool {
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		if m.MountPath == path {
			return true
		}
	}
	return false
}

// A pod that gates hold back waits as long as they do, and runs when they are gone.
func TestClusterSchedulingGates(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	a := w.attempt("run-1", "told-gated")
	a.Settings = settings(t, `{"queue":"team","pending_timeout":"1ms","pod_settings":{"additional_pod_spec_args":{"schedulingGates":[{"name":"kueue.x-k8s.io/admission"}]}}}`)
	start(t, o, a)
	h.until(t, "the gate", func(s driver.Status) bool { return strings.Contains(s.Reason, "held back by its scheduling gates") })
	patch := []byte(`{"metadata":{"annotations":{"proa.dev/pending-timeout":"10m"}},"spec":{"schedulingGates":null}}`)
	if _, err := w.api.CoreV1().Pods(w.client.namespace).Patch(t.Context(), a.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if end := h.ended(t, a.Name); end.Outcome == nil {
		t.Errorf("ended with %+v %+v, want the outcome", end, end.Failure)
	}
}

// Which waiting containers fail a step, and when, is a setting.
func TestClusterWaitingReasons(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	missing := strings.Split(w.image, "@")[0] + "@sha256:" + strings.Repeat("0", 64)
	patient := w.attempt("run-1", "told-patient")
	patient.Image, patient.Settings = missing, settings(t, `{"fail_on_container_waiting_reasons":["CreateContainerError"],"pending_timeout":"15s"}`)
	hasty := w.attempt("run-1", "told-hasty")
	hasty.Image, hasty.Settings = missing, settings(t, `{"fail_on_container_waiting_reasons":{"ErrImagePull":0}}`)
	start(t, o, patient)
	start(t, o, hasty)
	if end := h.ended(t, hasty.Name); kindOf(end.Failure) != step.FailureImage {
		t.Errorf("the hasty one ended with %+v, want an image failure", end.Failure)
	}
	if end := h.ended(t, patient.Name); kindOf(end.Failure) != step.FailureUnschedulable || !strings.Contains(end.Failure.Message, "within 15s: can't pull image yet") {
		t.Errorf("the patient one ended with %+v, want its pending timeout", end.Failure)
	}
}

// Finished pods stay as the run's settings say.
func TestClusterKeepPods(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	o.config.KeepPods = KeepFailed
	h := watching(t, o, "run-1")
	for _, name := range []string{"exit7-1", "silent-1"} {
		start(t, o, w.attempt("run-1", name))
		h.ended(t, name)
		if err := o.Remove(t.Context(), name, name == "exit7-1"); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(patience)
	for len(w.pods(t)) > 1 {
		if time.Now().After(deadline) {
			t.Fatal("the pod that succeeded is still there")
		}
		_ = pause.For(t.Context(), 50*time.Millisecond)
	}
	if pods := w.pods(t); len(pods) != 1 || pods[0].Name != "exit7-1" {
		t.Errorf("%d pods are left, want the failed one", len(pods))
	}
}

// What a run's settings say is read off its live Job and its pod.
func TestClusterRunSettings(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	s := Submission{
		Run: "run-1", Pipeline: "p", CoordinatorImage: w.image, CoordinatorArgs: []string{"coordinate"}, Config: []byte(`{"Lines":1,"Starts":1,"Wait":true}`),
		Access: w.access(), Settings: settings(t, `{"synchronous":true,"orchestrator_pod_settings":{"labels":{"team":"vision"},"resources":{"requests":{"memory":"33Mi"}}},
			"service_account_name":"pipelines","job_name_prefix":"Team A","ttl_seconds_after_finished":1234,"active_deadline_seconds":100,
			"orchestrator_job_backoff_limit":2,"keep_pods":"all"}`),
	}
	if err := w.client.Submit(t.Context(), s); err == nil || !strings.Contains(err.Error(), `service account "pipelines" does not exist`) {
		t.Fatalf("got %v, want to be told that there is no such service account", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "pipelines"}}
	if _, err := w.api.CoreV1().ServiceAccounts(w.client.namespace).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var lines int
	err := w.client.Follow(t.Context(), "run-1", Follower{Line: func([]byte) error {
		if lines++; lines == 2 {
			return io.EOF
		}
		return nil
	}})
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	job, err := w.api.BatchV1().Jobs(w.client.namespace).Get(t.Context(), "team-a-run-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if *job.Spec.TTLSecondsAfterFinished != 1234 || *job.Spec.ActiveDeadlineSeconds != 100+deadlineMargin || *job.Spec.BackoffLimit != 2 {
		t.Errorf("the job has %+v", job.Spec)
	}
	pods := w.pods(t)
	if len(pods) != 1 {
		t.Fatalf("%d pods", len(pods))
	}
	pod := pods[0]
	memory := pod.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory]
	if pod.Labels["team"] != "vision" || pod.Spec.ServiceAccountName != "pipelines" || memory.String() != "33Mi" ||
		!strings.HasPrefix(pod.Name, "team-a-run-1-") || env(pod, envKeepPods) != KeepAll || env(pod, envJob) != job.Name {
		t.Errorf("the pod is %+v", pod)
	}
	if err := w.client.Sweep(t.Context(), "run-1", time.Second); err != nil {
		t.Fatal(err)
	}
	var left *batchv1.JobList
	if left, err = w.api.BatchV1().Jobs(w.client.namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) > 0 || len(w.pods(t)) > 0 {
		t.Errorf("sweeping leaves %d jobs and %d pods: %v", len(left.Items), len(w.pods(t)), err)
	}
}

func env(pod corev1.Pod, name string) string {
	for _, e := range pod.Spec.Containers[0].Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

func start(t *testing.T, o *Orchestrator, a driver.Attempt) {
	t.Helper()
	for range 2 { // starting twice is starting once
		if err := o.Start(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := w.api.CoreV1().Pods(w.client.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// The outcome through the channel counts while the kubelet still shows the container running.
func TestClusterOutcomeByTheChannel(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	start(t, o, w.attempt("run-1", "linger-1"))
	end := h.ended(t, "linger-1")
	if end.Outcome == nil || end.Outcome.Status != step.Succeeded {
		t.Errorf("ended with %+v, want the outcome", end)
	}
	pods := w.pods(t)
	if len(pods) != 1 || containerEnd(&pods[0]) != nil { // its node may not even have said that it has begun
		t.Errorf("the container had ended: the outcome came too late to be of use")
	}
	if h.logs["linger-1"] != "hello\n" {
		t.Errorf("log %q", h.logs["linger-1"])
	}
	if err := o.Remove(t.Context(), "linger-1", false); err != nil {
		t.Fatal(err)
	}
	if err := o.Remove(t.Context(), "linger-1", false); err != nil {
		t.Fatalf("removing twice: %v", err)
	}
	if err := w.client.Sweep(t.Context(), "run-1", time.Second); err != nil {
		t.Fatal(err)
	}
	if left := w.pods(t); len(left) != 0 {
		t.Errorf("%d pods are left", len(left))
	}
}

// The channel is blocked: the watch tells the end, without an outcome.
func TestClusterChannelBlocked(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", false)
	h := watching(t, o, "run-1")
	start(t, o, w.attempt("run-1", "silent-1"))
	start(t, o, w.attempt("run-1", "exit7-1"))
	if end := h.ended(t, "silent-1"); end.Outcome != nil || kindOf(end.Failure) != step.FailureLost || end.ExitCode != 0 {
		t.Errorf("silent: %+v %+v, want lost with exit code 0", end, end.Failure)
	}
	if end := h.ended(t, "exit7-1"); end.Outcome != nil || end.ExitCode != 7 {
		t.Errorf("exit7: %+v, want exit code 7", end)
	}
}

func TestClusterOutOfMemory(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	a := w.attempt("run-1", "hog-1")
	a.Resources = &spec.Resources{Memory: "32Mi"}
	start(t, o, a)
	if end := h.ended(t, "hog-1"); kindOf(end.Failure) != step.FailureOOM || !strings.Contains(end.Failure.Message, "32Mi") {
		t.Errorf("ended with %+v %+v, want oom that names the limit", end, end.Failure)
	}
}

func TestClusterPodDeletedByHand(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	start(t, o, w.attempt("run-1", "mute-1"))
	h.running(t, "mute-1")
	if err := w.api.CoreV1().Pods(w.client.namespace).Delete(t.Context(), "mute-1", metav1.DeleteOptions{
		GracePeriodSeconds: ptr(int64(0)),
	}); err != nil {
		t.Fatal(err)
	}
	if end := h.ended(t, "mute-1"); kindOf(end.Failure) != step.FailureLost {
		t.Errorf("ended with %+v %+v, want lost", end, end.Failure)
	}
}

func TestClusterStop(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	start(t, o, w.attempt("run-1", "block-1"))
	h.running(t, "block-1")
	if err := o.Stop(t.Context(), "block-1", time.Second); err != nil {
		t.Fatal(err)
	}
	if end := h.ended(t, "block-1"); end.Outcome == nil || end.Outcome.Status != step.Cancelled {
		t.Errorf("ended with %+v, want cancelled", end)
	}
	if err := o.Stop(t.Context(), "never-was", time.Second); err != nil {
		t.Errorf("stopping what doesn't exist: %v", err)
	}
}

func TestClusterImageMissing(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	a := w.attempt("run-1", "told-1")
	a.Image = strings.Split(w.image, "@")[0] + "@sha256:" + strings.Repeat("0", 64)
	start(t, o, a)
	h.until(t, "the reason", func(s driver.Status) bool { return strings.Contains(s.Reason, "not found") })
	end := h.ended(t, "told-1")
	if kindOf(end.Failure) != step.FailureImage || !strings.Contains(end.Failure.Message, a.Image) {
		t.Errorf("ended with %+v %+v, want an image failure that names the image", end, end.Failure)
	}
}

func TestClusterUnschedulable(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	a := w.attempt("run-1", "told-1")
	a.Resources = &spec.Resources{Memory: "900Ti"}
	start(t, o, a)
	h.until(t, "the scheduler's reason", func(s driver.Status) bool {
		return s.Phase == driver.Pending && strings.Contains(s.Reason, "Insufficient memory")
	})
}

// A quota that is used up makes an attempt wait; it doesn't fail it.
func TestClusterQuota(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	o := w.open(t, "run-1", true)
	h := watching(t, o, "run-1")
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}
	quotas := w.api.CoreV1().ResourceQuotas(w.client.namespace)
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	name := ""
	for i := 1; ; i++ { // a new quota takes effect a moment later; until then, pods are started or refused otherwise
		name = fmt.Sprintf("told-%d", i)
		err := o.Start(ctx, w.attempt("run-1", name))
		if err != nil && strings.Contains(err.Error(), "waiting for room") && strings.Contains(err.Error(), "exceeded quota") {
			break
		}
		if pause.For(ctx, 100*time.Millisecond) != nil {
			t.Fatalf("got %v, want an error that waits for the quota", err)
		}
	}
	h.until(t, "the reason", func(s driver.Status) bool { return strings.Contains(s.Reason, "exceeded quota") })
	if err := quotas.Delete(ctx, "none", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for o.Start(ctx, w.attempt("run-1", name)) != nil {
		if pause.For(ctx, 50*time.Millisecond) != nil {
			t.Fatal("not started though the quota is gone")
		}
	}
	if end := h.ended(t, name); end.Outcome == nil {
		t.Errorf("ended with %+v, want the outcome", end)
	}
}

// A restarted coordinator adopts what runs, and learns of what is gone.
func TestClusterRestart(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	first := w.open(t, "run-1", true)
	start(t, first, w.attempt("run-1", "mute-1"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := w.open(t, "run-1", true)
	h := watching(t, second, "run-1", "mute-1", "never-was-1")
	if end := h.ended(t, "never-was-1"); kindOf(end.Failure) != step.FailureLost {
		t.Errorf("ended with %+v %+v, want lost", end, end.Failure)
	}
	h.running(t, "mute-1")
}

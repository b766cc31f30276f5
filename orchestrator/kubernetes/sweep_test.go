package kubernetes

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A pod that is being deleted already, but has much time left, is deleted once more.
func TestSweepShortensTheTimeToEnd(t *testing.T) {
	for given, want := range map[int64]bool{300: true, 10: false, 0: false} {
		pod := &corev1.Pod{}
		pod.DeletionGracePeriodSeconds = &given
		if got := endsLater(pod, 10*time.Second); got != want {
			t.Errorf("with %d seconds left: %v, want %v", given, got, want)
		}
	}
	if endsLater(&corev1.Pod{}, time.Second) {
		t.Error("a pod that isn't being deleted ends later")
	}
}

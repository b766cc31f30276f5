package kubernetes

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// A launcher that is told to end can't know why. Of a pod that is deleted the cluster says so before; a node that evicts one, or
// shuts down, says it when the containers have ended, and then the launcher's outcome is here already. So that is held back.

// explainLimit is how long after a launcher was told to end its node may take to say why.
const explainLimit = 5 * time.Second

// hold keeps an outcome back until the pod says why it was ended, and reports whether that is still to come.
func (t *tracker) hold(a *tracked, s driver.Status) bool {
	if a.deleted || a.last.Phase == driver.Ended {
		return false
	}
	if a.held == nil {
		a.held, a.heldUntil = &s, t.now().Add(explainLimit)
		t.awake()
	}
	return true
}

// explain tells an outcome that was held back, if the pod says by now why it was ended, or never will.
func (t *tracker) explain(a *tracked, pod *corev1.Pod) {
	over := pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
	failure := a.disruption
	if failure == nil && over {
		failure = podFailure(pod)
	}
	if failure != nil || over || a.deleted {
		t.release(a, failure)
	}
}

// release tells an outcome that was held back.
func (t *tracker) release(a *tracked, why *step.Failure) {
	if a.held == nil {
		return
	}
	s := *a.held
	s.Failure, a.held = why, nil
	t.tell(a, s, nil)
}

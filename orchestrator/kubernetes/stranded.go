package kubernetes

import (
	"context"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// An attempt whose own pod no node takes need not wait for room when a pod of its kind becomes free. Its own pod has to go
// first, and only if no node has taken it meanwhile: its launcher would run the attempt a second time.

// stranded is a host whose pod no node takes, as it was when that was seen.
type stranded struct {
	host    *host
	uid     types.UID
	version string
}

// strandings returns the hosts whose attempts may go elsewhere, each once for each state of its pod. At most as many are
// returned as there are hosts free for them.
func (p *pool) strandings() []stranded {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []stranded
	free := map[string]int{}
	for _, h := range p.hosts {
		if h.state == hostIdle {
			free[h.fit]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.hosts)) {
		if h := p.hosts[name]; h.movable() && h.at.version != "" && free[h.fit] > 0 {
			free[h.fit]--
			all = append(all, h.at)
			h.at.version = ""
		}
	}
	return all
}

// movable reports whether a host's attempt, of which nothing has run, may get another one.
func (h *host) movable() bool {
	return h.state == hostStarts && h.stuck && h.claim != nil && h.claim.Number <= 1
}

// vacated notes that the pod of a stranded host is gone, and puts its attempt first into the queue. It returns false if
// the attempt was told to end meanwhile.
func (p *pool) vacated(h *host) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.started, h.claim.Name)
	p.drop(h)
	if h.stopped {
		return false
	}
	p.queue = slices.Insert(p.queue, 0, h.claim)
	return true
}

// rescue deletes the pod of a stranded host, unless it has changed, and so lets its attempt go elsewhere.
func (o *Orchestrator) rescue(ctx context.Context, s stranded) {
	attempt := s.host.claim.Name
	restore := o.tracker.vacate(s.uid, attempt)
	err := o.deleteUnchanged(ctx, s)
	switch {
	case err != nil:
		o.logger.Debug("stranded pod not deleted", "pod", s.host.pod, "error", err)
		o.lookAgain(ctx, s, restore)
	case o.pool.vacated(s.host):
		o.report(attempt, "no node takes its pod; it gets one that has become free")
	default:
		o.tracker.report(driver.Status{Attempt: attempt, Phase: driver.Ended, ExitCode: -1, Failure: &step.Failure{
			Kind: step.FailureCancelled, Message: "stopped before it was started",
		}})
	}
}

// deleteUnchanged deletes the pod of a stranded host if it still is as it was seen.
func (o *Orchestrator) deleteUnchanged(ctx context.Context, s stranded) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return o.client.CoreV1().Pods(o.config.Namespace).Delete(ctx, s.host.pod, metav1.DeleteOptions{
		GracePeriodSeconds: ptr(int64(0)),
		Preconditions:      &metav1.Preconditions{UID: &s.uid, ResourceVersion: &s.version},
	})
}

// lookAgain takes in what has become of a pod that was not deleted, or of which nobody knows: what the watch has told of it
// meanwhile was passed over.
func (o *Orchestrator) lookAgain(ctx context.Context, s stranded, restore func()) {
	defer restore()
	for {
		pod, err := o.client.CoreV1().Pods(o.config.Namespace).Get(ctx, s.host.pod, metav1.GetOptions{})
		switch {
		case err == nil && pod.UID == s.uid:
			restore()
			o.pool.saw(pod)
			o.tracker.set(pod)
			return
		case err == nil || apierrors.IsNotFound(err):
			// It may have run before it went, so that the attempt can't be begun once more.
			o.pool.gone(s.host.pod)
			o.tracker.report(lostStatus(s.host.claim.Name))
			return
		}
		if pause.For(ctx, placePause) != nil {
			return
		}
	}
}

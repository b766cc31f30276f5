package kubernetes

import (
	"slices"
	"time"

	"github.com/proa-ml/proa/internal/podstatus"
	corev1 "k8s.io/api/core/v1"
)

// What the pool is told of its hosts, and what it tells them.

// outcome takes in that an attempt has told its outcome, and whether its launcher wants another one.
func (p *pool) outcome(attempt string, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hostOf(attempt)
	switch {
	case h == nil || h.tenant != attempt || h.state != hostRuns && h.state != hostStarts:
	case more && !p.forbidden:
		h.set(hostIdle, p.now())
	default:
		h.set(hostEnds, p.now())
	}
	p.alarm()
}

// saw takes in a pod's present state.
func (p *pool) saw(pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[pod.Name]
	if h == nil {
		return
	}
	switch {
	case finished(pod):
		if h.state == hostIdle {
			p.dismiss(h)
		}
		p.drop(h)
	case h.state != hostStarts:
	case containerRunning(pod):
		h.set(hostRuns, p.now())
		p.alarm()
	case unplaceable(pod):
		h.stuck, h.at = true, stranded{h, pod.UID, pod.ResourceVersion}
		// Who waits for work gives way to who has some, or takes it.
		for _, other := range p.hosts {
			if other.state == hostIdle && (other.fit != h.fit || !h.movable()) {
				p.dismiss(other)
			}
		}
		p.alarm()
	}
}

// gone takes in that a pod is no more.
func (p *pool) gone(pod string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[pod]; h != nil {
		p.drop(h)
	}
}

// listed takes in a whole list. A pod that was just created may not be on it.
func (p *pool) listed(pods []corev1.Pod) {
	there := map[string]bool{}
	for i := range pods {
		there[pods[i].Name] = true
		p.saw(&pods[i])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if !there[h.pod] && h.state != hostStarts {
			p.drop(h)
		}
	}
}

// stop takes an attempt out of the queue, or returns the pod whose end is the attempt's; neither if it has ended.
func (p *pool) stop(attempt string) (pod string, queued bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unqueue(attempt) {
		return "", true
	}
	return p.end(attempt), false
}

// remove forgets an attempt, and returns the pod that goes with it, if one does.
func (p *pool) remove(attempt string) (pod string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unqueue(attempt)
	pod = p.end(attempt)
	delete(p.started, attempt)
	return pod
}

// end returns the pod of an attempt, which takes no more of them. A pod that has work for others, or could have, stays.
func (p *pool) end(attempt string) string {
	h := p.hostOf(attempt)
	switch {
	case h != nil && h.tenant == attempt && (h.state == hostIdle || h.state == hostMoves):
		return ""
	case h != nil:
		h.stopped = true
		h.set(hostEnds, p.now())
		return h.pod
	}
	pod := p.started[attempt]
	if pod == "" {
		pod = attempt
	}
	if p.hosts[pod] != nil {
		return ""
	}
	return pod
}

func (p *pool) unqueue(attempt string) bool {
	before := len(p.queue)
	p.queue = slices.DeleteFunc(p.queue, func(c *claim) bool { return c.Name == attempt })
	return len(p.queue) < before
}

// hostOf returns the host of an attempt that runs, ran last, or is about to.
func (p *pool) hostOf(attempt string) *host {
	for _, h := range p.hosts {
		if h.coming == attempt || h.tenant == attempt {
			return h
		}
	}
	return nil
}

// next returns the attempt that a pod is to run after another; empty if that isn't decided yet, in which case change
// tells of news and until says how long to wait for it. It returns false if the pod is to end.
func (p *pool) next(pod, after string) (attempt string, change <-chan struct{}, until time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[pod]
	switch {
	case h == nil || h.state == hostEnds:
		return "", nil, time.Time{}, false
	case h.tenant != after:
		return h.tenant, nil, time.Time{}, true
	case h.state == hostIdle && p.now().Sub(h.since) >= idleLimit:
		p.dismiss(h)
		return "", nil, time.Time{}, false
	case h.state == hostRuns:
		// This launcher has told of its attempt's end another coordinator, which is no more.
		p.dismiss(h)
		return "", nil, time.Time{}, false
	}
	return "", h.change, h.since.Add(idleLimit), true
}

// finished reports whether a pod takes no more attempts.
func finished(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || containerEnd(pod) != nil ||
		pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// unplaceable reports whether no node takes a pod.
func unplaceable(pod *corev1.Pod) bool {
	c := podstatus.Condition(pod, corev1.PodScheduled)
	return c != nil && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
}

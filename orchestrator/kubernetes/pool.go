package kubernetes

import (
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
)

const (
	// idleLimit is how long a warm pod waits for its next attempt.
	idleLimit = 5 * time.Second
	// slowStart is how many pods of one template are started at a time as long as few of them run: short steps are over
	// before that many more pods would have been of use.
	slowStart = 4
	// longestWait is how long an attempt waits for a pod that runs already, if the cluster has room for another one.
	longestWait = 5 * time.Second
)

// pool decides which attempt goes into which warm pod. It does no I/O: what it decides is done by others, who tell it how
// that went.
type pool struct {
	now func() time.Time
	// wake is signalled when what waits may go on.
	wake chan struct{}

	mu    sync.Mutex
	hosts map[string]*host
	queue []*claim
	// started gives the pod of each attempt that was placed and not removed.
	started map[string]string
	// forbidden says that a pod can't be handed over.
	forbidden bool
	// dismissed are pods that are to be deleted.
	dismissed []string
}

// host is a warm pod.
type host struct {
	pod, fit string
	state    hostState
	// tenant is the attempt that runs in it, or ran last; coming the one that is about to.
	tenant, coming string
	since          time.Time
	// stuck says that no node takes it; stopped that its attempt was told to end.
	stuck, stopped bool
	// claim is the attempt that the pod was made for; nil if another coordinator has made it. at is what was last seen of a
	// pod that is stuck.
	claim *claim
	at    stranded
	// change is closed when something of this has changed.
	change chan struct{}
}

// hostState is where a host is.
type hostState int

const (
	hostStarts hostState = iota
	hostRuns
	hostIdle
	// hostMoves: an attempt was decided on, and the pod doesn't say so yet.
	hostMoves
	// hostEnds: it takes no more attempts.
	hostEnds
)

// claim is an attempt that wants a place.
type claim struct {
	driver.Attempt
	pod   *corev1.Pod
	fit   string
	since time.Time
	// not before this time, after an error that may pass.
	notBefore time.Time
}

// way is how an attempt gets its place.
type way int

const (
	wayHeld way = iota
	wayNew
	wayMove
	wayWait
)

func newPool(now func() time.Time) *pool {
	return &pool{now: now, wake: make(chan struct{}, 1), hosts: map[string]*host{}, started: map[string]string{}}
}

// alarm wakes whoever does what the pool decides. The lock may be held.
func (p *pool) alarm() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (h *host) set(state hostState, now time.Time) {
	h.state, h.since = state, now
	close(h.change)
	h.change = make(chan struct{})
}

// adopt takes in a pod that another coordinator has made.
func (p *pool) adopt(pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fit := pod.Annotations[annotationFit]
	if fit == "" || p.hosts[pod.Name] != nil || finished(pod) {
		return
	}
	tenant := tenantOf(pod)
	p.hosts[pod.Name] = &host{pod: pod.Name, fit: fit, state: hostRuns, tenant: tenant, since: p.now(), change: make(chan struct{})}
	p.started[tenant] = pod.Name
}

// take finds a place for an attempt, or puts it into the queue.
func (p *pool) take(c *claim) (*host, way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.queue, func(q *claim) bool { return q.Name == c.Name }) {
		return nil, wayWait
	}
	if p.started[c.Name] != "" {
		return nil, wayHeld
	}
	h, how := p.find(c)
	if how == wayWait {
		p.queue = append(p.queue, c)
	}
	return h, how
}

// find finds a place. Attempts after the first get pods of their own: what befell the last one may be the pod's doing.
func (p *pool) find(c *claim) (*host, way) {
	if c.Number <= 1 && !p.forbidden {
		if h := p.idle(c.fit); h != nil {
			h.coming = c.Name
			h.set(hostMoves, p.now())
			p.started[c.Name] = h.pod
			return h, wayMove
		}
		if !p.room(c) {
			return nil, wayWait
		}
	}
	h := &host{pod: c.Name, fit: c.fit, tenant: c.Name, claim: c, since: p.now(), change: make(chan struct{})}
	p.hosts[c.Name] = h
	p.started[c.Name] = c.Name
	return h, wayNew
}

// idle returns the host that fits and was used last.
func (p *pool) idle(fit string) *host {
	var found *host
	for _, h := range p.hosts {
		if h.fit == fit && h.state == hostIdle && (found == nil || h.since.After(found.since)) {
			found = h
		}
	}
	return found
}

// room reports whether another pod should be started for an attempt.
func (p *pool) room(c *claim) bool {
	starting, running, stuck := 0, 0, false
	for _, h := range p.hosts {
		switch {
		case h.fit != c.fit || h.state == hostEnds:
		case h.state == hostStarts:
			starting++
			stuck = stuck || h.stuck
		default:
			running++
		}
	}
	return starting < max(slowStart, 2*running) || !stuck && p.now().Sub(c.since) >= longestWait
}

// ready takes those out of the queue that have a place now.
func (p *pool) ready() (placed []placement, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = slices.DeleteFunc(p.queue, func(c *claim) bool {
		if p.now().Before(c.notBefore) {
			return false
		}
		h, how := p.find(c)
		if how == wayWait {
			return false
		}
		placed = append(placed, placement{c, h, how})
		return true
	})
	return placed, len(p.queue) > 0
}

// placement is a decision.
type placement struct {
	*claim
	host *host
	how  way
}

// settled notes how a placement went. A host that could not be given over is given up.
func (p *pool) settled(pl placement, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := pl.host
	switch {
	case err == nil && pl.how == wayMove && h.state == hostMoves:
		h.tenant, h.coming = pl.Name, ""
		h.set(hostRuns, p.now())
	case err == nil && h.stopped:
		p.dismissed = append(p.dismissed, h.pod)
	case err == nil:
	case pl.how == wayNew:
		p.drop(h)
		delete(p.started, pl.Name)
	default:
		h.coming = ""
		p.dismiss(h)
		delete(p.started, pl.Name)
	}
	p.alarm()
}

// forbid ends the use of pods for more than one attempt.
func (p *pool) forbid() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forbidden = true
	for _, h := range p.hosts {
		if h.state == hostIdle {
			p.dismiss(h)
		}
	}
}

// requeue puts a claim back, to be placed not before the delay is over.
func (p *pool) requeue(c *claim, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.notBefore = p.now().Add(delay)
	p.queue = append(p.queue, c)
}

// drop forgets a host. The lock is held.
func (p *pool) drop(h *host) {
	h.set(hostEnds, p.now())
	delete(p.hosts, h.pod)
	p.alarm()
}

// dismiss makes a host end, and its pod be deleted. The lock is held.
func (p *pool) dismiss(h *host) {
	if h.state != hostEnds {
		h.set(hostEnds, p.now())
		p.dismissed = append(p.dismissed, h.pod)
		p.alarm()
	}
}

// deletions returns the pods to delete, once. With all, hosts that are idle are among them.
func (p *pool) deletions(all bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if all && h.state == hostIdle {
			p.dismiss(h)
		}
	}
	pods := p.dismissed
	p.dismissed = nil
	slices.Sort(pods)
	return pods
}

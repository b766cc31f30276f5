package kubernetes

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// tracker merges what is heard of attempts from the completion channel, the watch and our own calls, so that each
// attempt's statuses go forward only. It does no I/O but to tell the engine.
type tracker struct {
	now func() time.Time
	// wake is signalled when a new doubt needs a timer.
	wake chan struct{}

	mu       sync.Mutex
	events   driver.Events
	attempts map[string]*tracked
	// tenants gives the attempt of each pod that has another one than it says, or said last.
	tenants map[string]string
	// removed are attempts that are of no interest any more, though their pods may still be there.
	removed map[string]bool
	// vacated are pods that went, or are about to, so that their attempts can go elsewhere.
	vacated map[types.UID]bool
}

// tracked is one attempt.
type tracked struct {
	// starting counts calls of Start under way; exists says that the pod was there at some time.
	starting int
	exists   bool
	// last is what was told last; a zero Phase means nothing.
	last  driver.Status
	doubt *doubt
	until time.Time
	// limit is when a pod that doesn't run yet is given up.
	limit      *doubt
	limitUntil time.Time
	// disruption is what the cluster said it does to the pod, if it did.
	disruption *step.Failure
	// deleted says that the pod was told to go; held is an outcome that waits for what the pod says about its end.
	deleted   bool
	held      *driver.Status
	heldUntil time.Time
	// marked says that the attempt existed before the list under way was asked for.
	marked bool
}

func newTracker(now func() time.Time) *tracker {
	return &tracker{
		now: now, wake: make(chan struct{}, 1),
		attempts: map[string]*tracked{}, tenants: map[string]string{}, removed: map[string]bool{},
		vacated: map[types.UID]bool{},
	}
}

// begin directs what is heard to events, and everything that is known is told again.
func (t *tracker) begin(known []string, events driver.Events) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = events
	for _, a := range t.attempts {
		a.last, a.doubt, a.limit, a.marked = driver.Status{}, nil, nil, false
	}
	for _, name := range known {
		delete(t.removed, name)
		// One that is being started, or waits to be, isn't missing.
		if t.attempts[name] == nil {
			t.get(name).exists = true
		}
	}
}

// end stops telling events.
func (t *tracker) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = nil
}

// starting notes that an attempt's pod is about to be created; the result must be called with how it went.
func (t *tracker) starting(name string) (done func(err error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.get(name).starting++
	return func(err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		a := t.get(name)
		a.starting--
		a.exists = a.exists || err == nil
	}
}

// expect makes an attempt known, of which there is no pod yet.
func (t *tracker) expect(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.get(name)
}

// remove forgets an attempt.
func (t *tracker) remove(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.attempts, name)
	t.removed[name] = true
}

// expects reports whether the attempt is one of ours.
func (t *tracker) expects(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.attempts[name]
	return known
}

// listening reports whether somebody listens.
func (t *tracker) listening() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events != nil
}

// log passes on a part of a log.
func (t *tracker) log(name string, offset int64, data []byte) {
	t.mu.Lock()
	events := t.events
	t.mu.Unlock()
	if events != nil {
		events.Log(name, offset, data)
	}
}

// mark notes which attempts exist, before a list is asked for.
func (t *tracker) mark() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.attempts {
		a.marked = a.exists && a.starting == 0
	}
}

// sync takes in a whole list: attempts that were marked before it and aren't on it are lost.
func (t *tracker) sync(pods []corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	listed := map[string]bool{}
	for i := range pods {
		if t.vacated[pods[i].UID] {
			continue
		}
		listed[t.tenant(&pods[i])] = true
		t.observe(&pods[i])
	}
	for name, a := range t.attempts {
		if a.marked && !listed[name] {
			t.release(a, nil)
			t.tell(a, lostStatus(name), nil)
		}
	}
	for name := range t.removed {
		if !listed[name] {
			delete(t.removed, name)
		}
	}
}

// set takes in one pod's present state.
func (t *tracker) set(pod *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observe(pod)
}

// gone takes in that a pod is no more.
func (t *tracker) gone(pod *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.vacated[pod.UID] {
		delete(t.vacated, pod.UID)
		return
	}
	name := t.tenant(pod)
	delete(t.tenants, pod.Name)
	if t.removed[name] {
		delete(t.removed, name)
		return
	}
	a := t.get(name)
	a.exists = true
	t.explain(a, pod)
	t.release(a, nil)
	s := vanished(pod)
	s.Attempt = name
	t.tell(a, s, nil)
}

// tenant returns the attempt that a pod is about. What a list or a watch shows may be older than what was done.
func (t *tracker) tenant(pod *corev1.Pod) string {
	if name := t.tenants[pod.Name]; name != "" {
		return name
	}
	return tenantOf(pod)
}

// moved notes that a pod is another attempt's now.
func (t *tracker) moved(pod, attempt string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tenants[pod] = attempt
}

// vacate notes that a pod is about to go, and its attempt to be without one; restore that it isn't.
func (t *tracker) vacate(uid types.UID, attempt string) (restore func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vacated[uid] = true
	a := t.get(attempt)
	a.exists, a.doubt, a.limit = false, nil, nil
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.vacated, uid)
		if a := t.attempts[attempt]; a != nil {
			a.exists = true
		}
	}
}

func (t *tracker) get(name string) *tracked {
	a, ok := t.attempts[name]
	if !ok {
		a = &tracked{}
		t.attempts[name] = a
	}
	return a
}

func (t *tracker) observe(pod *corev1.Pod) {
	name := t.tenant(pod)
	if t.removed[name] || t.vacated[pod.UID] {
		return
	}
	a := t.get(name)
	a.exists = true
	if f := disruption(pod); f != nil {
		a.disruption = f
	}
	a.deleted = pod.DeletionTimestamp != nil
	if t.explain(a, pod); a.held != nil {
		return
	}
	o := observe(pod)
	o.status.Attempt = name
	t.limits(a, o.limit)
	t.tell(a, o.status, o.doubt)
}

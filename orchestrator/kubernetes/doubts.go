package kubernetes

import (
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
)

// What a pod is in may pass, or may be its end: such a state is a doubt, which becomes a failure unless it changes in time.
// How long an attempt may be pending is a limit, whatever it waits for.

// settle ends doubts whose time is over, and returns when to come again; zero if there is nothing to wait for.
func (t *tracker) settle() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var next time.Time
	now := t.now()
	for name, a := range t.attempts {
		if a.held != nil && !now.Before(a.heldUntil) {
			t.release(a, nil)
		}
		d, until := a.due()
		switch {
		case a.held != nil:
			next = earlier(next, a.heldUntil)
		case d == nil:
		case !now.Before(until):
			failure := d.failure
			a.limit = nil
			t.tell(a, driver.Status{Attempt: name, Phase: driver.Ended, ExitCode: -1, Failure: &failure}, nil)
		default:
			next = earlier(next, until)
		}
	}
	return next
}

// earlier returns the earlier time, where the first may be none yet.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// due returns what the attempt becomes first unless it changes, and when; nil if it may stay as it is.
func (a *tracked) due() (*doubt, time.Time) {
	if a.limit != nil && (a.doubt == nil || a.limitUntil.Before(a.until)) {
		return a.limit, a.limitUntil
	}
	return a.doubt, a.until
}

// limits begins, keeps or ends the time that an attempt may be pending.
func (t *tracker) limits(a *tracked, limit *doubt) {
	switch {
	case limit == nil || order(a.last.Phase) > order(driver.Pending):
		a.limit = nil
		return
	case a.limit == nil:
		a.limitUntil = t.now().Add(limit.grace)
	}
	a.limit = limit
	t.awake()
}

// awake has the one who settles look again.
func (t *tracker) awake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// doubts begins, keeps or ends an attempt's doubt. One that goes on under changing words keeps its time.
func (t *tracker) doubts(a *tracked, d *doubt) {
	if d == nil {
		a.doubt = nil
		return
	}
	until := t.now().Add(d.grace)
	if a.doubt != nil && a.doubt.failure.Kind == d.failure.Kind && a.until.Before(until) {
		until = a.until
	}
	a.doubt, a.until = d, until
	t.awake()
}

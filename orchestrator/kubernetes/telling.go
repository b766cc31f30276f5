package kubernetes

import (
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// report takes in a status that came otherwise: through the completion channel, or from our own calls. A launcher that
// was told to end can't know why; if the cluster said it of its pod, that goes with the outcome.
func (t *tracker) report(s driver.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, ok := t.attempts[s.Attempt]
	if !ok {
		return
	}
	if s.Outcome != nil && s.Outcome.Status == step.Cancelled && s.Failure == nil {
		if s.Failure = a.disruption; s.Failure == nil && t.hold(a, s) {
			return
		}
	}
	t.tell(a, s, nil)
}

// tell passes a status on if it is news: forward, and different. An outcome is news even after an end without one.
func (t *tracker) tell(a *tracked, s driver.Status, d *doubt) {
	if t.events == nil {
		return
	}
	if a.last.Phase == driver.Ended && (s.Outcome == nil || a.last.Outcome != nil) {
		return
	}
	if order(s.Phase) < order(a.last.Phase) {
		s.Phase = a.last.Phase
	}
	t.doubts(a, d)
	if same(a.last, s) {
		return
	}
	a.last = s
	t.events.Status(s)
}

func order(p driver.Phase) int {
	switch p {
	case driver.Pending:
		return 1
	case driver.Running:
		return 2
	case driver.Ended:
		return 3
	}
	return 0
}

func same(a, b driver.Status) bool {
	return a.Phase == b.Phase && a.Reason == b.Reason && a.ExitCode == b.ExitCode && a.Outcome == b.Outcome &&
		sameFailure(a.Failure, b.Failure)
}

func sameFailure(a, b *step.Failure) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

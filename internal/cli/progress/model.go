package progress

import (
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// node is what the view knows of a step.
type node struct {
	name string
	// label is the name as it is shown.
	label  string
	depth  int
	status run.StepStatus
	reason string
	// since is when it began to be pending, told the reason that plain lines have told.
	since   time.Time
	told    string
	attempt int
	from    string
	started time.Time
	ended   time.Time
	failure *step.Failure
	because string
	retry   *time.Time
}

// model is the state of a run as the view shows it.
type model struct {
	nodes   []*node
	byName  map[string]*node
	status  run.Status
	started time.Time
	ended   time.Time
	seq     int64
}

func newModel(p *plan.Plan) *model {
	m := &model{byName: map[string]*node{}, status: run.Pending}
	for _, s := range p.Steps {
		n := &node{name: s.Name, label: inspect.Label(s.Name), status: run.StepWaiting}
		for _, need := range s.Needs {
			if before := m.byName[need]; before != nil {
				n.depth = max(n.depth, before.depth+1)
			}
		}
		m.nodes = append(m.nodes, n)
		m.byName[s.Name] = n
	}
	return m
}

// apply adds an event. It returns the step that changed in a way worth a line; nil if none did.
func (m *model) apply(r run.Recorded) *node {
	if r.Seq <= m.seq {
		return nil
	}
	m.seq = r.Seq
	switch e := r.Event.(type) {
	case run.RunStarted:
		m.status, m.started = run.Running, r.Time
	case run.RunEnded:
		m.status, m.ended = e.Status, r.Time
	case run.StepCached:
		return m.change(e.Step, func(n *node) { n.from = e.From; n.end(run.StepFromCache, r.Time) })
	case run.AttemptPlanned:
		m.change(e.Step, func(n *node) {
			n.status, n.attempt, n.retry, n.reason, n.since, n.told = run.StepPending, e.Number, nil, "", r.Time, ""
		})
	case run.AttemptPending:
		return m.pending(e)
	case run.AttemptRunning:
		return m.change(e.Step, func(n *node) {
			n.status, n.attempt, n.reason = run.StepRunning, e.Number, ""
			if n.started.IsZero() {
				n.started = r.Time
			}
		})
	case run.AttemptEnded:
		return m.change(e.Step, func(n *node) { n.attemptEnded(e, r.Time) })
	case run.StepSkipped:
		return m.change(e.Step, func(n *node) { n.because = e.Because; n.end(run.StepIsSkipped, r.Time) })
	case run.StepCancelled:
		return m.change(e.Step, func(n *node) { n.end(run.StepIsCancelled, r.Time) })
	}
	return nil
}

func (m *model) pending(e run.AttemptPending) *node {
	n := m.byName[e.Step]
	if n == nil || n.reason == e.Reason {
		return nil
	}
	n.status, n.reason = run.StepPending, e.Reason
	return n
}

func (m *model) change(step string, with func(*node)) *node {
	n := m.byName[step]
	if n == nil {
		return nil
	}
	with(n)
	return n
}

func (n *node) attemptEnded(e run.AttemptEnded, at time.Time) {
	n.failure, n.retry, n.reason = e.Outcome.Failure, e.Retry, ""
	if n.started.IsZero() {
		n.started = e.Outcome.Started
	}
	switch {
	case e.Retry != nil:
		n.status = run.StepWaiting
	case e.Outcome.Status == step.Succeeded:
		n.end(run.StepSucceeded, at)
	case e.Outcome.Status == step.Cancelled:
		n.end(run.StepIsCancelled, at)
	default:
		n.end(run.StepFailed, at)
	}
}

func (n *node) end(status run.StepStatus, at time.Time) { n.status, n.ended, n.reason = status, at, "" }

// took is how long the step ran, up to now if it still does.
func (n *node) took(now time.Time) time.Duration {
	switch {
	case n.started.IsZero():
		return 0
	case n.ended.IsZero():
		return now.Sub(n.started)
	}
	return n.ended.Sub(n.started)
}

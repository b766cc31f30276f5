package run

import (
	"iter"
	"time"

	"github.com/proa-ml/proa/orchestrator"
)

// next yields the events that are decided because the state is what it is. The caller applies each before it asks for the
// following one, so that one pass in the plan's order carries a decision all the way down the graph.
func next(s *state, now time.Time) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if s.overdue(now) && !yield(DeadlineExceeded{}) {
			return
		}
		for i := range s.steps {
			if e := decide(s, &s.steps[i], now); e != nil && !yield(e) {
				return
			}
		}
		if s.status == Running && s.open == 0 && len(s.attempts) == 0 && len(s.strays) == 0 {
			yield(RunEnded{Status: s.verdict()})
		}
	}
}

// overdue reports whether the run has just begun to take too long.
func (s *state) overdue(now time.Time) bool {
	return s.status == Running && s.open > 0 && !s.cancelling && !s.deadline.IsZero() && !now.Before(s.deadline)
}

// decide returns what becomes of a step that waits, or nil if it goes on waiting.
func decide(s *state, st *stepState, now time.Time) Event {
	switch {
	case st.status != StepWaiting:
		return nil
	case s.cancelling:
		return StepCancelled{Step: st.Name}
	case s.halting():
		return StepSkipped{Step: st.Name, Because: s.failed}
	case st.blocked != "":
		return StepSkipped{Step: st.Name, Because: st.blocked}
	case st.adopted != nil && st.missing == 0:
		return StepCached{Step: st.Name, Key: st.key, From: st.Adopted.Run, Outputs: st.adopted}
	case !startable(s, st), now.Before(st.notBefore):
		return nil
	}
	number := st.attempt.number + 1
	return AttemptPlanned{
		Step:   st.Name,
		Number: number,
		Name:   orchestrator.AttemptName(s.plan.Pipeline, s.id, st.Name, number),
		Key:    st.key,
	}
}

// startable reports whether nothing but the time keeps a waiting step from its next attempt.
func startable(s *state, st *stepState) bool {
	idle := st.attempt.phase == none || st.attempt.phase == removed
	return st.missing == 0 && idle && !s.asksCache(st) && !s.full()
}

// wake returns when next will decide something although nothing happens; zero if it won't.
func wake(s *state) time.Time {
	var at time.Time
	if !s.cancelling && s.open > 0 {
		at = s.deadline
	}
	if s.halting() {
		return at
	}
	for i := range s.steps {
		st := &s.steps[i]
		if st.status == StepWaiting && startable(s, st) && (at.IsZero() || st.notBefore.Before(at)) {
			at = st.notBefore
		}
	}
	return at
}

package run

import (
	"time"

	"github.com/proa-ml/proa/step"
)

// apply adds one event to the state.
func apply(s *state, r Recorded) {
	s.seq = r.Seq
	defer func() { s.last = r.Time }()
	switch e := r.Event.(type) {
	case RunStarted:
		s.onStarted(e, r.Time)
	case RunResumed:
		s.onResumed(r.Time)
	case StepCached:
		st := s.touch(e.Step)
		st.key, st.from, st.outputs = e.Key, e.From, e.Outputs
		s.finish(st, StepFromCache, r.Time)
	case CacheMissed:
		s.step(e.Step).missed = true
	case AttemptPlanned:
		s.onPlanned(e)
	case AttemptStarted:
		s.step(e.Step).attempt.phase = accepted
	case AttemptPending:
		s.step(e.Step).attempt.reason = e.Reason
	case AttemptRunning:
		s.onRunning(e, r.Time)
	case AttemptStopping:
		s.step(e.Step).attempt.stopping = true
	case AttemptGone:
		a := &s.step(e.Step).attempt
		a.phase, a.failure, a.exitCode = gone, e.Failure, e.ExitCode
	case AttemptEnded:
		s.onEnded(e, r.Time)
	case AttemptRemoved:
		a := &s.step(e.Step).attempt
		a.phase = removed
		delete(s.attempts, a.name)
	case StrayFound:
		s.strays[e.Name] = true
	case StrayRemoved:
		delete(s.strays, e.Name)
	case StepSkipped:
		st := s.touch(e.Step)
		st.blocked = e.Because
		s.finish(st, StepIsSkipped, r.Time)
	case StepCancelled:
		s.finish(s.touch(e.Step), StepIsCancelled, r.Time)
	case CancelRequested:
		s.cancelling = true
	case DeadlineExceeded:
		s.cancelling, s.late = true, true
	case RunEnded:
		s.status, s.ended = e.Status, r.Time
	}
}

// onStarted makes the run running.
func (s *state) onStarted(e RunStarted, at time.Time) {
	s.status, s.started, s.mode, s.parallelism = Running, at, e.Mode, e.Parallelism
	if s.limit = e.Deadline; s.limit > 0 {
		s.deadline = at.Add(s.limit)
	}
	for i := range s.steps {
		s.dirty[i] = true
	}
}

// onResumed puts what is to happen at a time onto another coordinator's clock, if that one is behind the former's: a retry
// would be late by the difference. One that is ahead can't be told from one that came later.
func (s *state) onResumed(at time.Time) {
	ahead := s.last.Sub(at)
	if ahead <= 0 {
		return
	}
	if !s.deadline.IsZero() {
		s.deadline = s.deadline.Add(-ahead)
	}
	for i := range s.steps {
		if st := &s.steps[i]; st.status == StepWaiting && !st.notBefore.IsZero() {
			st.notBefore = st.notBefore.Add(-ahead)
		}
	}
}

// onPlanned notes the intent to start an attempt.
func (s *state) onPlanned(e AttemptPlanned) {
	st := s.touch(e.Step)
	st.status, st.key = StepPending, e.Key
	st.attempt = attempt{number: e.Number, name: e.Name, phase: planned}
	s.attempts[e.Name] = st
	s.active++
}

// onRunning notes that an attempt runs. A step has started with its first attempt.
func (s *state) onRunning(e AttemptRunning, at time.Time) {
	st := s.touch(e.Step)
	st.status, st.attempt.phase = StepRunning, running
	if st.started.IsZero() {
		st.started = at
	}
}

// onEnded notes the outcome of an attempt, which ends its step unless it is tried again.
func (s *state) onEnded(e AttemptEnded, at time.Time) {
	st, o := s.touch(e.Step), e.Outcome
	st.attempt.phase = ended
	s.active--
	st.failure, st.log = o.Failure, o.Log
	st.usage = sum(st.usage, o.Usage)
	if st.started.IsZero() {
		st.started = o.Started
	}
	if e.Retry != nil {
		st.status, st.notBefore = StepWaiting, *e.Retry
		switch payer(st, o) {
		case infrastructures:
			st.rescues++
		case memorys:
			st.climbed++
		case users, nobodys:
			st.retries++
		}
		return
	}
	switch o.Status {
	case step.Succeeded:
		st.outputs = o.Outputs
		s.finish(st, StepSucceeded, at)
	case step.Cancelled:
		s.finish(st, StepIsCancelled, at)
	default:
		s.finish(st, StepFailed, at)
	}
}

// finish ends a step and tells those that need it.
func (s *state) finish(st *stepState, status StepStatus, at time.Time) {
	st.status, st.ended = status, at
	s.open--
	if status == StepFailed && s.failed == "" {
		s.failed = st.Name
	}
	because := st.blocked
	if because == "" {
		because = st.Name
	}
	for _, user := range st.users {
		switch {
		case !status.satisfied():
			user.blocked = because
		default:
			if user.missing--; user.missing == 0 {
				s.ready(user)
			}
		}
	}
}

// touch returns a step whose row is about to change.
func (s *state) touch(name string) *stepState {
	st := s.step(name)
	s.dirty[st.number] = true
	return st
}

// sum adds up what the attempts of a step cost.
func sum(a, b step.Usage) step.Usage {
	return step.Usage{Wall: a.Wall + b.Wall, CPU: a.CPU + b.CPU, PeakRSS: max(a.PeakRSS, b.PeakRSS)}
}

package run

import (
	"fmt"
	"time"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// observation is something seen from outside the core. The types below are all there are.
type observation interface{}

type (
	// timed: an observation that was made a while before it is taken in.
	timed struct {
		observation
		at time.Time
	}
	// begun: a coordinator has taken the run.
	begun struct {
		mode        Mode
		parallelism int
		deadline    time.Duration
		lease       mdriver.Lease
		before      string
	}
	// cancelAsked: the user wants the run to end.
	cancelAsked struct{}
	// statusSeen: the orchestrator told about an attempt.
	statusSeen struct{ driver.Status }
	// cacheAnswered: the cache was asked for the keys of steps; hits are the verified results, by step.
	cacheAnswered struct {
		asked map[string]string
		hits  map[string]mdriver.CacheEntry
	}
	// startDone: the orchestrator accepted the attempt or, if failure is set, will never do so.
	startDone struct {
		attempt string
		failure *step.Failure
	}
	// stopDone: the attempt was asked to end.
	stopDone struct{ attempt string }
	// outcomeRead: the artifact store was asked for the attempt's outcome. If there is no readable one, failure may say why.
	outcomeRead struct {
		attempt string
		outcome *step.Outcome
		failure *step.Failure
		// words are the last lines of what it wrote, if it left no outcome.
		words string
	}
	// removeDone: the orchestrator has forgotten the attempt.
	removeDone struct{ attempt string }
)

// observe returns the events that an observation makes true. What is late, doubled or no news gives none.
func observe(s *state, o observation, now time.Time) []Event {
	switch o := o.(type) {
	case begun:
		if s.seq == 0 {
			return []Event{RunStarted{Mode: o.mode, Parallelism: o.parallelism, Deadline: o.deadline, Holder: o.lease.Holder}}
		}
		return []Event{RunResumed{Holder: o.lease.Holder, Epoch: o.lease.Epoch, Before: o.before}}
	case cancelAsked:
		if !s.cancelling && s.status == Running {
			return []Event{CancelRequested{}}
		}
	case cacheAnswered:
		return cacheEvents(s, o)
	case statusSeen:
		return statusEvents(s, o.Status, now)
	case startDone:
		if st := s.attempts[o.attempt]; st != nil && st.attempt.phase == planned {
			if o.failure != nil {
				return []Event{AttemptGone{Step: st.Name, Number: st.attempt.number, Failure: o.failure, ExitCode: -1}}
			}
			return []Event{AttemptStarted{Step: st.Name, Number: st.attempt.number}}
		}
	case stopDone:
		if st := s.attempts[o.attempt]; st != nil && !st.attempt.stopping && st.attempt.phase < ended {
			return stopEvents(st)
		}
	case outcomeRead:
		if st := s.attempts[o.attempt]; st != nil && st.attempt.phase == gone {
			return []Event{endOf(s, st, outcomeOf(s, st, o, now), st.attempt.failure, now)}
		}
	case removeDone:
		return removeEvents(s, o.attempt)
	}
	return nil
}

// cacheEvents takes the hits that give all the outputs a step declares, and lets the others run.
func cacheEvents(s *state, o cacheAnswered) []Event {
	var events []Event
	for i := range s.steps {
		st := &s.steps[i]
		if key, ok := o.asked[st.Name]; !ok || key != st.key || !s.asksCache(st) {
			continue
		}
		if hit, ok := o.hits[st.Name]; ok && missingOutput(st, hit.Outputs) == "" {
			events = append(events, StepCached{Step: st.Name, Key: st.key, From: hit.Run, Outputs: hit.Outputs})
		} else {
			events = append(events, CacheMissed{Step: st.Name, Key: st.key})
		}
	}
	return events
}

// statusEvents takes what an orchestrator reports.
func statusEvents(s *state, seen driver.Status, now time.Time) []Event {
	st := s.attempts[seen.Attempt]
	if st == nil {
		if seen.Phase == driver.Ended || s.strays[seen.Attempt] {
			return nil
		}
		return []Event{StrayFound{Name: seen.Attempt}}
	}
	a := &st.attempt
	switch {
	case seen.Phase == driver.Pending && a.phase < running && seen.Reason != "" && seen.Reason != a.reason:
		return []Event{AttemptPending{Step: st.Name, Number: a.number, Reason: seen.Reason}}
	case seen.Phase == driver.Running && a.phase < running:
		return []Event{AttemptRunning{Step: st.Name, Number: a.number}}
	case seen.Phase == driver.Ended && a.phase < ended && isOutcomeOf(s, st, seen.Outcome):
		return []Event{endOf(s, st, *seen.Outcome, seen.Failure, now)}
	case seen.Phase == driver.Ended && a.phase < gone:
		return []Event{AttemptGone{Step: st.Name, Number: a.number, Failure: seen.Failure, ExitCode: seen.ExitCode}}
	}
	return nil
}

// stopEvents notes that an attempt was asked to end. One whose start was never confirmed is gone with that: nobody will
// start it, and if somebody had, it was just stopped.
func stopEvents(st *stepState) []Event {
	events := []Event{AttemptStopping{Step: st.Name, Number: st.attempt.number}}
	if st.attempt.phase == planned {
		failure := &step.Failure{Kind: step.FailureCancelled, Message: "stopped before it had started"}
		events = append(events, AttemptGone{Step: st.Name, Number: st.attempt.number, Failure: failure, ExitCode: -1})
	}
	return events
}

func removeEvents(s *state, name string) []Event {
	if st := s.attempts[name]; st != nil && st.attempt.phase == ended {
		return []Event{AttemptRemoved{Step: st.Name, Number: st.attempt.number}}
	}
	if s.strays[name] {
		return []Event{StrayRemoved{Name: name}}
	}
	return nil
}

// isOutcomeOf reports whether an outcome is that of the step's present attempt.
func isOutcomeOf(s *state, st *stepState, o *step.Outcome) bool {
	return o != nil && o.Run == s.id && o.Step == st.Name && o.Name == st.attempt.name && o.Attempt == st.attempt.number
}

// outcomeOf returns the stored outcome or, if there is none, one that says why. Absence is never success.
func outcomeOf(s *state, st *stepState, o outcomeRead, now time.Time) step.Outcome {
	if isOutcomeOf(s, st, o.outcome) {
		return *o.outcome
	}
	failure := o.failure
	if failure == nil {
		failure = st.attempt.failure
	}
	if failure == nil {
		failure = &step.Failure{Kind: step.FailureLost, Message: "it vanished without an outcome"}
	}
	if failure.Traceback == "" && o.words != "" {
		explained := *failure
		explained.Traceback, failure = o.words, &explained
	}
	out := step.Outcome{
		Run: s.id, Step: st.Name, Attempt: st.attempt.number, Name: st.attempt.name,
		Status: step.Failed, Failure: failure, ExitCode: st.attempt.exitCode, Started: st.started, Ended: now,
	}
	if st.attempt.phase > planned && !st.started.IsZero() {
		out.Log = step.LogKey(s.id, st.attempt.name)
	}
	return out
}

// missingOutput names a declared output that isn't there, or nothing.
func missingOutput(st *stepState, outputs map[string]step.Artifact) string {
	for _, declared := range st.Outputs {
		if outputs[declared.Name].Digest == "" {
			return declared.Name
		}
	}
	return ""
}

// endOf makes the event that ends the step's present attempt. told is what the orchestrator said about its end, if it did.
func endOf(s *state, st *stepState, o step.Outcome, told *step.Failure, now time.Time) Event {
	o = judge(s, st, o, told)
	if o.Failure != nil {
		f := *o.Failure
		f.Evidence, o.Failure = evidence(st, o), &f
	}
	e := AttemptEnded{Step: st.Name, Number: st.attempt.number, Outcome: o}
	if delay, again := retry(s, st, o); again {
		at := now.Add(delay)
		e.Retry = &at
	}
	return e
}

// judge returns the outcome as the run counts it: with a failure for all but success, and honest about who ended it.
func judge(s *state, st *stepState, o step.Outcome, told *step.Failure) step.Outcome {
	infrastructure := o.Failure != nil && (o.Failure.Kind.Infrastructure() || o.Failure.Kind == step.FailureCancelled)
	missing := missingOutput(st, o.Outputs)
	switch {
	case o.Status == step.Succeeded && missing == "":
		o.Failure = nil
	case o.Status == step.Succeeded:
		o.Status = step.Failed
		o.Failure = &step.Failure{Kind: step.FailureConfig, Message: fmt.Sprintf("it ended without storing its output %q", missing)}
	case s.stopping() && (o.Status == step.Cancelled || infrastructure):
		o.Status = step.Cancelled
		o.Failure = &step.Failure{Kind: step.FailureCancelled, Message: "stopped on request"}
		if s.late {
			o.Failure.Message = "stopped because the run took longer than its " + s.limit.String()
		}
	case o.Status == step.Cancelled || infrastructure && o.Failure.Kind == step.FailureCancelled:
		// Nobody here asked for it: a drained node, a preemption, a pod deleted by hand.
		o.Status = step.Failed
		o.Failure = &step.Failure{Kind: step.FailureLost, Message: "it was ended from outside"}
		if told != nil && told.Kind.Infrastructure() {
			o.Failure = told
		}
	case o.Failure == nil:
		o.Status = step.Failed
		o.Failure = &step.Failure{Kind: step.FailureUser, Message: fmt.Sprintf("exit code %d", o.ExitCode)}
	default:
		o.Status = step.Failed
	}
	return o
}

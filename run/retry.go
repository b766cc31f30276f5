package run

import (
	"slices"
	"time"

	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// The waits before attempts that the infrastructure makes necessary: none, then these, doubled each time.
const (
	rescueDelay    = time.Second
	rescueDelayMax = 30 * time.Second
)

// budget is what an attempt made necessary by a failed one is taken from.
type budget int

const (
	// nobody's: the step has failed.
	nobodys budget = iota
	// memory's: there is an amount that the step had not had yet.
	memorys
	// the infrastructure's.
	infrastructures
	// the user's.
	users
)

// retry says whether an attempt that ended like this is followed by another, and after which wait. Failures of the user's
// code burn the budget the user gave; those of the infrastructure have one of their own.
func retry(s *state, st *stepState, o step.Outcome) (time.Duration, bool) {
	if o.Status != step.Failed || s.halting() {
		return 0, false
	}
	switch policy := st.Retry; payer(st, o) {
	case memorys:
		return 0, true
	case infrastructures:
		return rescueWait(st.rescues), st.rescues < policy.Infrastructure
	case users:
		return grow(policy.Delay, policy.Factor, policy.Cap, st.retries), st.retries < policy.Max
	case nobodys:
	}
	return 0, false
}

// payer says which budget another attempt is taken from.
func payer(st *stepState, o step.Outcome) budget {
	kind := o.Failure.Kind
	switch action, ruled := plan.Match(st.Retry.Rules, o.ExitCode, disrupted(kind)); {
	case ruled && action == plan.FailJob:
		return nobodys
	case ruled && action == plan.Ignore:
		return infrastructures
	case ruled:
		return users
	case climbs(st, o):
		return memorys
	case kind.Infrastructure():
		return infrastructures
	case curable(st.Retry.On, kind):
		return users
	}
	return nobodys
}

// disrupted reports whether it was the cluster that ended the attempt.
func disrupted(k step.FailureKind) bool {
	return k == step.FailureEvicted || k == step.FailurePreempted || k == step.FailureNodeLost
}

// climbs reports whether an attempt ran out of memory and the next one has more. That burns no budget: the plan's list of
// amounts is one.
func climbs(st *stepState, o step.Outcome) bool {
	return o.Failure != nil && o.Failure.Kind == step.FailureOOM && st.climbed+1 < len(st.Retry.Memory)
}

// curable reports whether to try again after a failure that isn't the infrastructure's: the kinds that the policy lists
// or, by default, those against which it may help. What the orchestrator itself had already waited for (an image, a free
// node), and a wrong setting, doesn't get better by itself.
func curable(on []string, k step.FailureKind) bool {
	if len(on) > 0 {
		return slices.Contains(on, string(k))
	}
	switch k {
	case step.FailureUser, step.FailureOOM, step.FailureTimeout:
		return true
	}
	return false
}

func rescueWait(rescues int) time.Duration {
	if rescues == 0 {
		return 0
	}
	return grow(rescueDelay, 2, rescueDelayMax, rescues-1)
}

// grow returns base x factor^times, at most limit if there is one. A factor of 0 means 1.
func grow(base time.Duration, factor float64, limit time.Duration, times int) time.Duration {
	const forever = 365 * 24 * time.Hour
	if limit <= 0 {
		limit = forever
	}
	if factor == 0 {
		factor = 1
	}
	d := float64(base)
	for range times {
		if d *= factor; d >= float64(limit) {
			return limit
		}
	}
	return min(time.Duration(d), limit)
}

package run

import (
	"time"

	"github.com/proa-ml/proa/step"
)

// The waits before attempts that the infrastructure makes necessary: none, then these, doubled each time.
const (
	rescueDelay    = time.Second
	rescueDelayMax = 30 * time.Second
)

// retry says whether an attempt that ended like this is followed by another, and after which wait. Failures of the user's
// code burn the budget the user gave; those of the infrastructure have one of their own.
func retry(s *state, st *stepState, o step.Outcome) (time.Duration, bool) {
	if o.Status != step.Failed || s.halting() {
		return 0, false
	}
	switch policy := st.Retry; {
	case climbs(st, o):
		return 0, true
	case o.Failure.Kind.Infrastructure():
		return rescueWait(st.rescues), st.rescues < policy.Infrastructure
	case curable(o.Failure.Kind):
		return grow(policy.Delay, policy.Factor, policy.Cap, st.retries), st.retries < policy.Max
	}
	return 0, false
}

// climbs reports whether an attempt ran out of memory and the next one has more. That burns no budget: the plan's list of
// amounts is one.
func climbs(st *stepState, o step.Outcome) bool {
	return o.Failure != nil && o.Failure.Kind == step.FailureOOM && st.climbed+1 < len(st.Retry.Memory)
}

// curable reports whether trying again may help against a failure that isn't the infrastructure's. What the orchestrator
// itself had already waited for (an image, a free node), and a wrong setting, doesn't get better.
func curable(k step.FailureKind) bool {
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

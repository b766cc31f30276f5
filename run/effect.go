package run

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// effect is something to do in the world. Effects follow from recorded facts and are idempotent: doing one again, after a
// lost reply or a restart, changes nothing.
type effect interface {
	// subject is what the effect is about. At most one effect on a subject is under way at a time.
	subject() string
	// name is for people.
	name() string
}

type (
	// lookUp asks the cache for the keys of steps, given by step.
	lookUp struct{ keys map[string]string }
	// start stores the attempt's invocation and makes the attempt exist.
	start struct {
		attempt string
		number  int
		step    *plan.Step
		inputs  map[string]step.Artifact
		// memory is what the attempt has instead of the step's own, in bytes; 0 means no change.
		memory int64
	}
	// stop asks the attempt to end.
	stop struct{ attempt string }
	// readOutcome fetches what a gone attempt left, and the rest of its log.
	readOutcome struct{ attempt string }
	// remove makes the orchestrator forget the attempt.
	remove struct {
		attempt string
		failed  bool
	}
	// sweep stops and removes something that should not be there.
	sweep struct{ attempt string }
)

func (lookUp) subject() string        { return "" }
func (e start) subject() string       { return e.attempt }
func (e stop) subject() string        { return e.attempt }
func (e readOutcome) subject() string { return e.attempt }
func (e remove) subject() string      { return e.attempt }
func (e sweep) subject() string       { return e.attempt }

func (lookUp) name() string      { return "look up cache" }
func (start) name() string       { return "start" }
func (stop) name() string        { return "stop" }
func (readOutcome) name() string { return "read outcome" }
func (remove) name() string      { return "remove" }
func (sweep) name() string       { return "sweep" }

// effects returns what the state asks for, whether or not it is already under way.
func effects(s *state) []effect {
	if s.status != Running {
		return nil
	}
	var all []effect
	keys := map[string]string{}
	for i := range s.steps {
		st := &s.steps[i]
		if s.asksCache(st) {
			keys[st.Name] = st.key
		}
		if e := attemptEffect(s, st); e != nil {
			all = append(all, e)
		}
	}
	if len(keys) > 0 {
		all = append(all, lookUp{keys})
	}
	for _, name := range slices.Sorted(maps.Keys(s.strays)) {
		all = append(all, sweep{name})
	}
	return all
}

// attemptEffect returns what has to be done about a step's latest attempt, or nil.
func attemptEffect(s *state, st *stepState) effect {
	a := &st.attempt
	switch {
	case a.phase == none, a.phase == removed:
		return nil
	case a.phase == ended:
		return remove{a.name, st.failure != nil && st.failure.Kind != step.FailureCancelled}
	case a.phase == gone:
		return readOutcome{a.name}
	case s.stopping():
		if a.stopping {
			return nil
		}
		return stop{a.name}
	case a.phase == planned:
		return start{a.name, a.number, st.Step, st.inputs, st.memory()}
	}
	return nil
}

// invocation is what the launcher of the attempt is told. inputs are complete.
func invocation(s *state, e start, inputs map[string]step.Artifact, grace time.Duration) step.Invocation {
	st := e.step
	return step.Invocation{
		APIVersion: spec.APIVersion,
		Run:        s.id, RunName: s.name, Pipeline: s.plan.Pipeline,
		Step: st.Name, Attempt: e.number, Name: e.attempt,
		Command: st.Command, Dir: st.Dir, Code: s.plan.CodeDigest(st.Image), Env: st.Env, Source: st.Source,
		Parameters: st.Parameters, Inputs: inputs, Outputs: st.Outputs, Secrets: st.Secrets,
		Timeout: st.Timeout, Grace: grace,
	}
}

// order is what the orchestrator is told to start.
func order(s *state, e start, grace time.Duration) driver.Attempt {
	st := e.step
	return driver.Attempt{
		Run: s.id, RunName: s.name, Pipeline: s.plan.Pipeline,
		Step: st.Name, Number: e.number, Name: e.attempt,
		Image: s.plan.ImageRef(st.Image), User: st.User, Resources: grown(st.Resources, e.memory), Settings: st.Settings,
		Timeout: st.Timeout, Grace: grace,
	}
}

// memory is what the next attempt has after some that ran out of it; 0 means the step's own.
func (st *stepState) memory() int64 {
	if st.climbed == 0 {
		return 0
	}
	return st.Retry.Memory[st.climbed]
}

func grown(r *spec.Resources, memory int64) *spec.Resources {
	if r == nil || memory == 0 {
		return r
	}
	more := *r
	more.Memory = strconv.FormatInt(memory, 10)
	return &more
}

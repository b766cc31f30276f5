package run

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// state is what a run's events amount to. Only apply changes it, and it does so in place: 10,000 steps would make a copy
// for each of 50,000 events a matter of minutes.
type state struct {
	id, name string
	plan     *plan.Plan

	seq            int64
	status         Status
	mode           Mode
	parallelism    int
	started, ended time.Time

	// steps are in the plan's order, so a step comes after all that it needs.
	steps []stepState
	index map[string]int
	// attempts gives the step of each attempt that is planned and not removed, by the attempt's name.
	attempts map[string]*stepState
	// strays are running things that are no attempts of this run, by name.
	strays map[string]bool

	// open counts the steps that are not over, active the attempts that are planned and have not ended.
	open, active int
	// failed names the first step that failed.
	failed     string
	cancelling bool
	// limit is how long the run may take, 0 for ever; deadline is when it has taken too long; late says that it has.
	limit    time.Duration
	deadline time.Time
	late     bool
	// last is the time of the last event.
	last time.Time

	// dirty holds the steps whose rows in the metadata store differ from what is here.
	dirty map[int]bool
}

// stepState is one step of the state.
type stepState struct {
	*plan.Step
	number int
	status StepStatus
	// users are the steps that need this one; missing counts the needs that are not satisfied yet.
	users   []*stepState
	missing int
	// blocked names the failed step because of which this one can't run.
	blocked string

	// inputs and key are known once nothing is missing; missed tells that the cache knows no result for key.
	inputs map[string]step.Artifact
	key    string
	missed bool
	// adopted is the result that the step takes over from another run; nil if it has none.
	adopted map[string]step.Artifact

	attempt attempt
	// retries and rescues count the attempts made because of the user's failures and of the infrastructure's.
	retries, rescues int
	// climbed counts the attempts that ran out of memory and were followed by one with more.
	climbed   int
	notBefore time.Time

	started, ended time.Time
	from           string
	outputs        map[string]step.Artifact
	failure        *step.Failure
	usage          step.Usage
	log            string
}

// attempt is the latest attempt of a step.
type attempt struct {
	number   int
	name     string
	phase    phase
	stopping bool
	reason   string
	// failure and exitCode are the orchestrator's explanation of an attempt that is gone.
	failure  *step.Failure
	exitCode int
}

// phase is where an attempt is. It only grows.
type phase int

const (
	none phase = iota
	planned
	accepted
	running
	gone
	ended
	removed
)

// newState returns the state of a run without events.
func newState(r driver.Run) (*state, error) {
	p := new(plan.Plan)
	if err := json.Unmarshal(r.Plan, p); err != nil {
		return nil, fmt.Errorf("decoding the plan of run %s: %w", r.Name, err)
	}
	s := &state{
		id: r.ID, name: r.Name, plan: p, status: Pending, mode: StopOnFailure,
		steps: make([]stepState, len(p.Steps)), index: make(map[string]int, len(p.Steps)), open: len(p.Steps),
		attempts: map[string]*stepState{}, strays: map[string]bool{}, dirty: map[int]bool{},
	}
	for i := range p.Steps {
		s.steps[i] = stepState{Step: &p.Steps[i], number: i, status: StepWaiting, missing: len(p.Steps[i].Needs)}
		s.index[p.Steps[i].Name] = i
	}
	for i := range s.steps {
		if err := s.steps[i].adopt(); err != nil {
			return nil, fmt.Errorf("the plan of run %s is broken: %w", r.Name, err)
		}
	}
	for i := range s.steps {
		if err := s.link(&s.steps[i]); err != nil {
			return nil, fmt.Errorf("the plan of run %s is broken: %w", r.Name, err)
		}
	}
	return s, nil
}

// adopt reads the result that the plan gives the step.
func (st *stepState) adopt() error {
	if st.Adopted == nil {
		return nil
	}
	st.adopted = make(map[string]step.Artifact, len(st.Adopted.Outputs))
	for name, data := range st.Adopted.Outputs {
		var a step.Artifact
		if err := json.Unmarshal(data, &a); err != nil {
			return fmt.Errorf("step %q: the output %q of the run that it resumes can't be read: %w", st.Name, name, err)
		}
		st.adopted[name] = a
	}
	return nil
}

// link tells the steps that st needs about it.
func (s *state) link(st *stepState) error {
	for _, need := range st.Needs {
		i, ok := s.index[need]
		if !ok || i >= st.number {
			return fmt.Errorf("step %q needs %q, which doesn't come before it", st.Name, need)
		}
		s.steps[i].users = append(s.steps[i].users, st)
	}
	if st.missing == 0 {
		s.ready(st)
	}
	return nil
}

// ready fills in what is known of a step once all that it needs is there.
func (s *state) ready(st *stepState) {
	st.inputs = make(map[string]step.Artifact, len(st.Inputs))
	digests := make(map[string]string, len(st.Inputs))
	for name, in := range st.Inputs {
		a := step.Artifact{Digest: in.Artifact}
		if in.Step != "" {
			a = s.steps[s.index[in.Step]].outputs[in.Output]
		}
		st.inputs[name], digests[name] = a, a.Digest
	}
	st.key = plan.CacheKey(st.Recipe, digests)
}

// step returns the step of that name, or nil.
func (s *state) step(name string) *stepState {
	i, ok := s.index[name]
	if !ok {
		return nil
	}
	return &s.steps[i]
}

// halting reports whether nothing new may start.
func (s *state) halting() bool {
	return s.cancelling || s.failed != "" && s.mode != ContinueOnFailure
}

// stopping reports whether what runs has to be stopped.
func (s *state) stopping() bool {
	return s.cancelling || s.failed != "" && s.mode == FailFast
}

// full reports whether as many attempts are active as may be.
func (s *state) full() bool { return s.parallelism > 0 && s.active >= s.parallelism }

// asksCache reports whether the step waits for nothing but the cache's answer.
func (s *state) asksCache(st *stepState) bool {
	return st.status == StepWaiting && st.missing == 0 && st.Cache && st.adopted == nil && !st.missed && !s.halting()
}

// verdict is the status the run ends with.
func (s *state) verdict() Status {
	whole := true
	for i := range s.steps {
		whole = whole && s.steps[i].status.satisfied()
	}
	switch {
	case whole:
		return Succeeded
	case s.failed != "", s.late:
		return Failed
	}
	return Cancelled
}

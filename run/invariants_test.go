package run

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// recordedEvents returns what is recorded. Only what is new is read, and folded.
func (sc *scenario) recordedEvents() []Recorded {
	rows, err := sc.store.Events(context.Background(), sc.run.ID, int64(len(sc.past)))
	if err != nil {
		panic(err)
	}
	for _, row := range rows {
		r, err := Decode(row)
		if err != nil {
			panic(err)
		}
		sc.past = append(sc.past, r)
		apply(sc.fold, r)
	}
	return sc.past
}

func (sc *scenario) history() string {
	var b strings.Builder
	for _, r := range sc.recordedEvents() {
		data, _ := json.Marshal(r.Event)
		fmt.Fprintf(&b, "%3d %s %-16s %s\n", r.Seq, r.Time.Format("04:05.000"), r.Event.Kind(), data)
	}
	return b.String()
}

// folded returns the state that is recorded.
func (sc *scenario) folded() *state {
	sc.recordedEvents()
	return sc.fold
}

// checkStart holds: intent before effect, inputs before start, and an invocation that tells of the right inputs.
func (s *sim) checkStart(a driver.Attempt) {
	recorded := s.recordedEvents()
	intended := slices.ContainsFunc(recorded, func(r Recorded) bool {
		e, ok := r.Event.(AttemptPlanned)
		return ok && e.Name == a.Name && e.Step == a.Step && e.Number == a.Number
	})
	if !intended {
		s.breaks("attempt %s was started before it was recorded", a.Name)
	}
	state := s.folded()
	for _, need := range state.step(a.Step).Needs {
		if !state.step(need).status.satisfied() {
			s.breaks("attempt %s was started before its input %s was there", a.Name, need)
		}
	}
	s.checkLimits(state, a)
	var in step.Invocation
	if err := json.Unmarshal(s.objects[step.InvocationKey(a.Run, a.Name)], &in); err != nil {
		s.breaks("attempt %s was started without an invocation: %v", a.Name, err)
	}
	for name, from := range s.plan.Step(a.Step).Inputs {
		if want := s.want[from.Step][from.Output]; in.Inputs[name] != want {
			s.breaks("attempt %s got input %s %+v, want %+v", a.Name, name, in.Inputs[name], want)
		}
	}
}

// checkLimits holds: no more attempts at a time, and none of a step, than there may be, and with the memory that is its turn.
func (s *sim) checkLimits(state *state, a driver.Attempt) {
	if s.parallelism > 0 && state.active > s.parallelism {
		s.breaks("%d attempts are under way, of %d at most", state.active, s.parallelism)
	}
	r := state.step(a.Step).Retry
	if most := 1 + r.Max + r.Infrastructure + max(0, len(r.Memory)-1); a.Number > most {
		s.breaks("attempt %d of step %s, which may have %d", a.Number, a.Step, most)
	}
	if len(r.Memory) == 0 {
		return
	}
	starved := 0
	for _, past := range s.recordedEvents() {
		if e, ok := past.Event.(AttemptEnded); ok && e.Step == a.Step && e.Number < a.Number && e.Outcome.Failure.Kind == step.FailureOOM {
			starved++
		}
	}
	if want := strconv.FormatInt(r.Memory[min(starved, len(r.Memory)-1)], 10); a.Resources.Memory != want {
		s.breaks("attempt %s has %s bytes of memory, want %s", a.Name, a.Resources.Memory, want)
	}
}

// checkStop holds: nothing is stopped that the record doesn't want stopped.
func (s *sim) checkStop(name string) {
	if state := s.folded(); !state.stopping() && !s.wasStray(name) {
		s.breaks("attempt %s was stopped without a record", name)
	}
}

// checkRemove holds: an attempt is removed only after its outcome was recorded.
func (s *sim) checkRemove(name string) {
	ended := slices.ContainsFunc(s.recordedEvents(), func(r Recorded) bool {
		e, ok := r.Event.(AttemptEnded)
		return ok && e.Outcome.Name == name
	})
	if !ended && !s.wasStray(name) {
		s.breaks("attempt %s was removed before its outcome was recorded", name)
	}
}

func (s *sim) wasStray(name string) bool {
	return slices.ContainsFunc(s.recordedEvents(), func(r Recorded) bool {
		e, ok := r.Event.(StrayFound)
		return ok && e.Name == name
	})
}

// checkEnd holds what has to be true of a run that has ended.
func (sc *scenario) checkEnd() {
	state := sc.folded()
	sc.checkStatus(state)
	sc.checkOutcomes()
	sc.checkRows(state)
	if len(state.strays) > 0 {
		sc.breaks("the run ended before it had swept %v", state.strays)
	}
	for _, p := range sc.attempts {
		if !p.zombie {
			sc.breaks("attempt %s is left behind", p.Name)
		}
	}
	for i := range state.steps {
		st := &state.steps[i]
		if !st.status.Final() {
			sc.breaks("step %s ended as %s", st.Name, st.status)
		}
		if want := sc.want[st.Name]; st.status.satisfied() && !cmp.Equal(st.outputs, want) {
			sc.breaks("step %s has the outputs %v, want %v", st.Name, st.outputs, want)
		}
		if !sc.cancelled && !state.late && !sc.poor && (sc.mode == ContinueOnFailure || !sc.doomed) && st.status.satisfied() != (sc.want[st.Name] != nil) {
			sc.breaks("step %s ended as %s, unlike in the undisturbed run", st.Name, st.status)
		}
	}
}

func (sc *scenario) checkStatus(state *state) {
	want := Succeeded
	if sc.doomed || state.late {
		want = Failed
	}
	whole := !slices.ContainsFunc(state.steps, func(st stepState) bool { return !st.status.satisfied() })
	switch got := state.status; {
	case whole != (got == Succeeded):
		sc.breaks("the run ended as %s, which its steps don't", got)
	case got == want, sc.cancelled && state.cancelling, sc.poor, state.late && got == Succeeded:
	default:
		sc.breaks("the run ended as %s, want %s", got, want)
	}
	if state.late && sc.deadline == 0 {
		sc.breaks("a run without a deadline was late")
	}
	// Faults and waits take minutes; a clock that is an hour off must not add to them.
	if took := sc.now.Sub(sc.began); took > 30*time.Minute {
		sc.breaks("the run took %s", took)
	}
	if got := sc.status(); got != state.status {
		sc.breaks("the run's row says %s, its events %s", got, state.status)
	}
}

// checkOutcomes holds that one outcome counts: of each attempt, and of each step.
func (sc *scenario) checkOutcomes() {
	attempts, steps := map[string]int{}, map[string]int{}
	for i, r := range sc.recordedEvents() {
		if r.Seq != int64(i+1) {
			sc.breaks("event %d has the number %d", i+1, r.Seq)
		}
		switch e := r.Event.(type) {
		case AttemptEnded:
			if attempts[e.Outcome.Name]++; e.Retry == nil {
				steps[e.Step]++
			}
		case StepCached:
			steps[e.Step]++
		case StepSkipped:
			steps[e.Step]++
		case StepCancelled:
			steps[e.Step]++
		}
	}
	for name, n := range attempts {
		if n != 1 {
			sc.breaks("attempt %s has %d outcomes", name, n)
		}
	}
	for i := range sc.plan.Steps {
		if n := steps[sc.plan.Steps[i].Name]; n != 1 {
			sc.breaks("step %s ended %d times", sc.plan.Steps[i].Name, n)
		}
	}
}

// checkRows holds that the projection is what folding the events gives.
func (sc *scenario) checkRows(state *state) {
	rows, err := sc.store.Steps(context.Background(), sc.run.ID)
	if err != nil {
		panic(err)
	}
	var want []mdriver.Step
	for i := range state.steps {
		want = append(want, stepRow(state, &state.steps[i]))
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		sc.breaks("the rows of steps differ from the events (-events +rows):\n%s", diff)
	}
}

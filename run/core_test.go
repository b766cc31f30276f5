package run

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// runOf makes a run of a plan.
func runOf(t *testing.T, steps ...plan.Step) mdriver.Run {
	t.Helper()
	data, err := json.Marshal(plan.Plan{Pipeline: "p", Steps: steps})
	if err != nil {
		t.Fatal(err)
	}
	return mdriver.Run{ID: "0123456789abcdef", Name: "p-1", Pipeline: "p", Spec: []byte("{}"), Plan: data, Status: string(Pending)}
}

// core returns a state that has begun, and a function that lets it see things and returns the kinds of the new events.
func core(t *testing.T, mode Mode, steps ...plan.Step) (*state, func(...observation) []string) {
	t.Helper()
	s, err := newState(runOf(t, steps...))
	if err != nil {
		t.Fatal(err)
	}
	c := &coordinator{state: s, desk: newDesk()}
	see := func(seen ...observation) []string {
		c.fresh = nil
		if err := c.turn(seen, epoch); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, r := range c.fresh {
			kinds = append(kinds, r.Event.Kind())
		}
		return kinds
	}
	see(begun{mode: mode})
	return s, see
}

func expectKinds(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func endSeen(s *state, st string, status step.Status, kind step.FailureKind) statusSeen {
	a := s.step(st).attempt
	o := &step.Outcome{Run: s.id, Step: st, Attempt: a.number, Name: a.name, Status: status}
	if kind != "" {
		o.Failure = &step.Failure{Kind: kind, Message: "m"}
	}
	return statusSeen{driver.Status{Attempt: a.name, Phase: driver.Ended, Outcome: o}}
}

func TestStrayIsSweptBeforeTheEnd(t *testing.T) {
	s, see := core(t, StopOnFailure, plan.Step{Name: "a"})
	name := s.step("a").attempt.name
	stray := statusSeen{driver.Status{Attempt: "stray", Phase: driver.Running}}
	expectKinds(t, see(startDone{attempt: name}, stray, stray), "attempt-started", "stray-found")
	expectKinds(t, see(endSeen(s, "a", step.Succeeded, ""), removeDone{name}), "attempt-ended", "attempt-removed")
	if diff := cmp.Diff([]effect{sweep{"stray"}}, effects(s), cmp.AllowUnexported(sweep{})); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	expectKinds(t, see(removeDone{"stray"}), "stray-removed", "run-ended")
}

func TestModes(t *testing.T) {
	steps := []plan.Step{{Name: "bad"}, {Name: "beside"}, {Name: "below", Needs: []string{"bad"}}, {Name: "free", Needs: []string{"beside"}}}
	for mode, want := range map[Mode]struct {
		statuses map[string]StepStatus
		stops    bool
	}{
		StopOnFailure:     {map[string]StepStatus{"bad": StepFailed, "beside": StepPending, "below": StepIsSkipped, "free": StepIsSkipped}, false},
		FailFast:          {map[string]StepStatus{"bad": StepFailed, "beside": StepPending, "below": StepIsSkipped, "free": StepIsSkipped}, true},
		ContinueOnFailure: {map[string]StepStatus{"bad": StepFailed, "beside": StepPending, "below": StepIsSkipped, "free": StepWaiting}, false},
	} {
		t.Run(string(mode), func(t *testing.T) {
			s, see := core(t, mode, steps...)
			see(startDone{attempt: s.step("beside").attempt.name}, endSeen(s, "bad", step.Failed, step.FailureUser))
			got, stops := map[string]StepStatus{}, false
			for i := range s.steps {
				got[s.steps[i].Name] = s.steps[i].status
			}
			for _, e := range effects(s) {
				_, ok := e.(stop)
				stops = stops || ok
			}
			if diff := cmp.Diff(want.statuses, got); diff != "" || stops != want.stops {
				t.Errorf("stops: %v, want %v; statuses (-want +got):\n%s", stops, want.stops, diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	evicted := &step.Failure{Kind: step.FailureEvicted, Message: "evicted"}
	for name, c := range map[string]struct {
		outcome    step.Outcome
		told       *step.Failure
		cancelling bool
		wantStatus step.Status
		wantKind   step.FailureKind
	}{
		"success":                       {outcome: step.Outcome{Status: step.Succeeded, Outputs: map[string]step.Artifact{"out": {Digest: "sha256:1"}}}, wantStatus: step.Succeeded},
		"success without its output":    {outcome: step.Outcome{Status: step.Succeeded}, wantStatus: step.Failed, wantKind: step.FailureConfig},
		"failure":                       {outcome: step.Outcome{Status: step.Failed, Failure: &step.Failure{Kind: step.FailureOOM}}, wantStatus: step.Failed, wantKind: step.FailureOOM},
		"failure without words":         {outcome: step.Outcome{Status: step.Failed, ExitCode: 3}, wantStatus: step.Failed, wantKind: step.FailureUser},
		"unknown status":                {outcome: step.Outcome{Status: "odd"}, wantStatus: step.Failed, wantKind: step.FailureUser},
		"cancelled by nobody here":      {outcome: step.Outcome{Status: step.Cancelled}, wantStatus: step.Failed, wantKind: step.FailureLost},
		"cancelled by an eviction":      {outcome: step.Outcome{Status: step.Cancelled}, told: evicted, wantStatus: step.Failed, wantKind: step.FailureEvicted},
		"cancelled on request":          {outcome: step.Outcome{Status: step.Cancelled}, cancelling: true, wantStatus: step.Cancelled, wantKind: step.FailureCancelled},
		"lost while cancelling":         {outcome: step.Outcome{Status: step.Failed, Failure: &step.Failure{Kind: step.FailureLost}}, cancelling: true, wantStatus: step.Cancelled, wantKind: step.FailureCancelled},
		"user's error while cancelling": {outcome: step.Outcome{Status: step.Failed, Failure: &step.Failure{Kind: step.FailureUser}}, cancelling: true, wantStatus: step.Failed, wantKind: step.FailureUser},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := core(t, StopOnFailure, plan.Step{Name: "a", Outputs: []spec.Output{{Name: "out"}}})
			s.cancelling = c.cancelling
			got := judge(s, s.step("a"), c.outcome, c.told)
			var kind step.FailureKind
			if got.Failure != nil {
				kind = got.Failure.Kind
			}
			if got.Status != c.wantStatus || kind != c.wantKind {
				t.Errorf("got %s, %q; want %s, %q", got.Status, kind, c.wantStatus, c.wantKind)
			}
		})
	}
}

func TestRetryBudgets(t *testing.T) {
	s, see := core(t, StopOnFailure, plan.Step{Name: "a", Retry: plan.Retry{Max: 2, Infrastructure: 1}})
	again := func(kind step.FailureKind) []string {
		name := s.step("a").attempt.name
		return append(see(endSeen(s, "a", step.Failed, kind)), see(removeDone{name})...)
	}
	expectKinds(t, again(step.FailureUser), "attempt-ended", "attempt-removed", "attempt-planned")
	expectKinds(t, again(step.FailureNodeLost), "attempt-ended", "attempt-removed", "attempt-planned")
	expectKinds(t, again(step.FailureUser), "attempt-ended", "attempt-removed", "attempt-planned")
	expectKinds(t, again(step.FailureUser), "attempt-ended", "attempt-removed", "run-ended")
	if st := s.step("a"); st.attempt.number != 4 || st.status != StepFailed || s.status != Failed {
		t.Errorf("ended with attempt %d, step %s, run %s", st.attempt.number, st.status, s.status)
	}
}

// TestMemoryGrows lets an attempt run out of memory until there is no more to give: then the user's budget counts.
func TestMemoryGrows(t *testing.T) {
	s, see := core(t, StopOnFailure, plan.Step{
		Name: "a", Resources: &spec.Resources{CPU: "1", Memory: "1Gi"}, Retry: plan.Retry{Max: 1, Memory: []int64{100, 200, 300}},
	})
	asked := func() string {
		st := s.step("a")
		return order(s, start{st.attempt.name, st.attempt.number, st.Step, nil, st.memory()}, 0).Resources.Memory
	}
	again := func(kind step.FailureKind) []string {
		name := s.step("a").attempt.name
		return append(see(endSeen(s, "a", step.Failed, kind)), see(removeDone{name})...)
	}
	for i, c := range []struct {
		kind step.FailureKind
		want string
	}{{step.FailureOOM, "200"}, {step.FailureUser, "200"}, {step.FailureOOM, "300"}} {
		expectKinds(t, again(c.kind), "attempt-ended", "attempt-removed", "attempt-planned")
		if got := asked(); got != c.want {
			t.Errorf("after failure %d the attempt asks for %s, want %s", i+1, got, c.want)
		}
	}
	expectKinds(t, again(step.FailureOOM), "attempt-ended", "attempt-removed", "run-ended")
	if cpu := s.step("a").Resources.CPU; cpu != "1" || s.step("a").Resources.Memory != "1Gi" {
		t.Error("the plan itself was changed")
	}
}

func TestNothingIsRetriedWhileHalting(t *testing.T) {
	s, see := core(t, StopOnFailure, plan.Step{Name: "a", Retry: plan.Retry{Max: 1, Infrastructure: 1}})
	expectKinds(t, see(cancelAsked{}), "cancel-requested")
	see(endSeen(s, "a", step.Failed, step.FailureUser))
	if got := s.step("a").status; got != StepFailed {
		t.Errorf("the step is %s, want it to have failed for good", got)
	}
}

func TestGrow(t *testing.T) {
	for _, c := range []struct {
		base   time.Duration
		factor float64
		limit  time.Duration
		times  int
		want   time.Duration
	}{
		{time.Second, 0, 0, 5, time.Second},
		{time.Second, 2, 0, 3, 8 * time.Second},
		{time.Second, 2, 5 * time.Second, 3, 5 * time.Second},
		{10 * time.Second, 2, 5 * time.Second, 0, 5 * time.Second},
		{time.Hour, 1e300, 0, 3, 365 * 24 * time.Hour},
		{0, 2, time.Second, 9, 0},
	} {
		if got := grow(c.base, c.factor, c.limit, c.times); got != c.want {
			t.Errorf("grow(%s, %g, %s, %d) = %s, want %s", c.base, c.factor, c.limit, c.times, got, c.want)
		}
	}
}

func TestEveryEventSurvivesItsEncoding(t *testing.T) {
	at := epoch
	for _, e := range []Event{
		RunStarted{Mode: FailFast, Parallelism: 3, Holder: "h"}, RunResumed{Holder: "h", Epoch: 2},
		StepCached{Step: "a", Key: "k", From: "r", Outputs: map[string]step.Artifact{"o": {Digest: "d"}}},
		CacheMissed{Step: "a", Key: "k"}, AttemptPlanned{Step: "a", Number: 1, Name: "n", Key: "k"},
		AttemptStarted{Step: "a", Number: 1}, AttemptPending{Step: "a", Number: 1, Reason: "r"}, AttemptRunning{Step: "a", Number: 1},
		AttemptStopping{Step: "a", Number: 1}, AttemptGone{Step: "a", Number: 1, Failure: &step.Failure{Kind: step.FailureLost}, ExitCode: -1},
		AttemptEnded{Step: "a", Number: 1, Outcome: step.Outcome{Status: step.Failed}, Retry: &at}, AttemptRemoved{Step: "a", Number: 1},
		StrayFound{Name: "n"}, StrayRemoved{Name: "n"}, StepSkipped{Step: "a", Because: "b"}, StepCancelled{Step: "a"},
		CancelRequested{}, RunEnded{Status: Failed},
	} {
		want := Recorded{Seq: 7, Time: epoch, Event: e}
		row, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(row)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Kind(), diff)
		}
	}
	if _, err := Decode(mdriver.Event{Seq: 1, Kind: "from-the-future"}); err == nil {
		t.Error("an unknown kind was decoded")
	}
}

func TestBrokenPlans(t *testing.T) {
	if _, err := newState(runOf(t, plan.Step{Name: "a", Needs: []string{"b"}}, plan.Step{Name: "b"})); err == nil {
		t.Error("a plan out of order was taken")
	}
	if _, err := newState(mdriver.Run{Plan: []byte("{")}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("a plan that is no JSON gave %v", err)
	}
}

func TestAResumedRunSaysHowTheCoordinatorBeforeEnded(t *testing.T) {
	s, _ := core(t, StopOnFailure, plan.Step{Name: "a"})
	events := observe(s, begun{lease: mdriver.Lease{Holder: "pod", Epoch: 2}, before: "panic: on fire"}, epoch)
	if diff := cmp.Diff([]Event{RunResumed{Holder: "pod", Epoch: 2, Before: "panic: on fire"}}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

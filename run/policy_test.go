package run

import (
	"testing"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// TestPayers says out of which budget another attempt comes, and whether there is one at all.
func TestPayers(t *testing.T) {
	rules, err := plan.ParsePolicy([]byte(`{"rules":[
		{"action":"FailJob","onExitCodes":{"operator":"In","values":[42]}},
		{"action":"Ignore","onExitCodes":{"operator":"In","values":[43]}},
		{"action":"Count","onPodConditions":[{"type":"DisruptionTarget"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		retry plan.Retry
		kind  step.FailureKind
		code  int
		want  budget
	}{
		"an exception":                  {plan.Retry{}, step.FailureUser, 1, users},
		"no room":                       {plan.Retry{}, step.FailureUnschedulable, -1, nobodys},
		"no room, listed":               {plan.Retry{On: []string{"unschedulable"}}, step.FailureUnschedulable, -1, users},
		"an exception, not listed":      {plan.Retry{On: []string{"unschedulable"}}, step.FailureUser, 1, nobodys},
		"a lost node is nobody's fault": {plan.Retry{On: []string{"user"}}, step.FailureNodeLost, -1, infrastructures},
		"ruled out":                     {plan.Retry{Rules: rules}, step.FailureUser, 42, nobodys},
		"ignored":                       {plan.Retry{Rules: rules}, step.FailureUser, 43, infrastructures},
		"no rule":                       {plan.Retry{Rules: rules}, step.FailureUser, 44, users},
		"counted":                       {plan.Retry{Rules: rules}, step.FailureEvicted, 42, users},
		"more memory":                   {plan.Retry{Memory: []int64{1, 2}}, step.FailureOOM, 137, memorys},
	} {
		st := &stepState{Step: &plan.Step{Retry: c.retry}}
		if got := payer(st, step.Outcome{ExitCode: c.code, Failure: &step.Failure{Kind: c.kind}}); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// TestDeadline stops a run that takes too long, and calls it failed.
func TestDeadline(t *testing.T) {
	s, err := newState(runOf(t, plan.Step{Name: "a"}, plan.Step{Name: "b", Needs: []string{"a"}}))
	if err != nil {
		t.Fatal(err)
	}
	c := &coordinator{state: s, desk: newDesk()}
	at := func(d time.Duration, seen ...observation) []string {
		c.fresh = nil
		if err := c.turn(seen, epoch.Add(d)); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, r := range c.fresh {
			kinds = append(kinds, r.Event.Kind())
		}
		return kinds
	}
	expectKinds(t, at(0, begun{mode: StopOnFailure, deadline: time.Minute}), "run-started", "attempt-planned")
	if got := wake(s); !got.Equal(epoch.Add(time.Minute)) {
		t.Errorf("the coordinator wakes at %v", got)
	}
	name := s.step("a").attempt.name
	expectKinds(t, at(time.Second, startDone{attempt: name}), "attempt-started")
	expectKinds(t, at(time.Minute), "deadline-exceeded", "step-cancelled")
	if e, ok := attemptEffect(s, s.step("a")).(stop); !ok || e.attempt != name {
		t.Errorf("the running attempt isn't stopped: %T", attemptEffect(s, s.step("a")))
	}
	ended := driver.Status{Attempt: name, Phase: driver.Ended, Outcome: &step.Outcome{Run: s.id, Step: "a", Attempt: 1, Name: name, Status: step.Cancelled}}
	expectKinds(t, at(time.Minute+time.Second, statusSeen{ended}), "attempt-ended")
	expectKinds(t, at(time.Minute+2*time.Second, removeDone{name}), "attempt-removed", "run-ended")
	if s.status != Failed || s.step("a").failure.Message != "stopped because the run took longer than its 1m0s" {
		t.Errorf("the run %s; the step: %+v", s.status, s.step("a").failure)
	}
}

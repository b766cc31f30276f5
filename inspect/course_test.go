package inspect

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/step"
)

func at(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }

// history returns a store with a run of these events, a second apart unless they say otherwise.
func history(t *testing.T, events ...driver.Event) *memory.Store {
	t.Helper()
	m := memory.New()
	if err := m.CreateRun(t.Context(), driver.Run{ID: "1", Name: "one", Pipeline: "p", Status: "pending", Created: begin}); err != nil {
		t.Fatal(err)
	}
	lease, err := m.Acquire(t.Context(), "1", "h", begin, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	if err := m.Commit(t.Context(), driver.Commit{Lease: lease, Events: events}); err != nil {
		t.Fatal(err)
	}
	return m
}

func event(s float64, kind string, data any) driver.Event {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return driver.Event{Time: at(s), Kind: kind, Data: text}
}

type m map[string]any

// TestPhases has a pod that waits, pulls, imports, runs and uploads, and a clock that is an hour ahead in a second attempt.
func TestPhases(t *testing.T) {
	times := func(off float64) *step.Times {
		return &step.Times{Received: at(off + 4), Called: at(off + 6), Returned: at(off + 9), Stored: at(off + 10)}
	}
	store := history(t,
		event(0, "run-started", m{}),
		event(0, "attempt-planned", m{"step": "a", "number": 1}),
		event(1, "attempt-pending", m{"step": "a", "number": 1, "reason": "no node has room"}),
		event(2, "attempt-pending", m{"step": "a", "number": 1, "reason": "pulling image or creating container"}),
		event(5, "attempt-running", m{"step": "a", "number": 1}),
		event(10, "attempt-ended", m{"step": "a", "number": 1, "retry": at(20), "outcome": step.Outcome{
			Status: step.Failed, ExitCode: 1, Failure: &step.Failure{Kind: step.FailureUser, Message: "no"}, Times: times(0),
		}}),
		event(20, "attempt-planned", m{"step": "a", "number": 2}),
		event(30, "attempt-ended", m{"step": "a", "number": 2, "outcome": step.Outcome{Status: step.Succeeded, Times: times(3620)}}),
		event(30, "attempt-planned", m{"step": "b", "number": 1}),
		event(32, "attempt-running", m{"step": "b", "number": 1}),
	)
	got, err := ReadTries(t.Context(), store, "1", at(40))
	if err != nil {
		t.Fatal(err)
	}
	span := func(p Phase, from, to float64) Span { return Span{p, at(from), at(to)} }
	want := map[string][][]Span{
		"a": {
			{span(Waiting, 0, 2), span(Pulling, 2, 4), span(Importing, 4, 6), span(Executing, 6, 9), span(Uploading, 9, 10)},
			{span(Waiting, 20, 24), span(Importing, 24, 26), span(Executing, 26, 29), span(Uploading, 29, 30)},
		},
		"b": {{span(Waiting, 30, 32), span(Importing, 32, 32), span(Executing, 32, 40)}},
	}
	spans := map[string][][]Span{}
	for name, tries := range got {
		for _, try := range tries {
			spans[name] = append(spans[name], try.Spans)
		}
	}
	if diff := cmp.Diff(want, spans); diff != "" {
		t.Error(diff)
	}
	if first := got["a"][0]; first.Failure == nil || first.ExitCode != 1 || !first.Retried.Equal(at(20)) || first.Status != "failed" {
		t.Errorf("the first attempt is %+v", first)
	}
	g := Graph{Started: at(0), Ended: at(40), Nodes: []Node{{Name: "a", Status: "succeeded"}, {Name: "b", Status: "running"}}}
	g.AddTries(got)
	line := "✔ a ··░░▒▒███▓··············▒▒███▓               30s\n▶ b                               ··████████     10s\n"
	if diff := cmp.Diff(line, g.Timeline(53, at(40))); diff != "" {
		t.Error(diff)
	}
}

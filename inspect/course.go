package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

// Phase is a part of what an attempt's time goes into.
type Phase string

// The phases, in their order. An attempt may skip some: nothing is pulled for one that runs in a pod that is there.
const (
	// Waiting: for a node, a pod, a coordinator that was away, or the next attempt.
	Waiting Phase = "waiting"
	// Pulling: the image, and making the container.
	Pulling Phase = "pulling"
	// Importing: the inputs are fetched, the code is imported, the inputs are loaded.
	Importing Phase = "importing"
	// Executing: the step's own code.
	Executing Phase = "running"
	// Uploading: outputs are saved and stored, and so is the log.
	Uploading Phase = "uploading"
)

// Phases are all phases in their order.
func Phases() []Phase { return []Phase{Waiting, Pulling, Importing, Executing, Uploading} }

// Span is a phase of an attempt. Spans of an attempt follow each other without gaps.
type Span struct {
	Phase Phase     `json:"phase"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Try is one attempt of a step, as its events tell it. Its times are the coordinator's.
type Try struct {
	Number  int           `json:"number"`
	Status  string        `json:"status"`
	Failure *step.Failure `json:"failure,omitempty"`
	// ExitCode is -1 if it isn't known.
	ExitCode int        `json:"exitCode"`
	Usage    step.Usage `json:"usage"`
	Planned  time.Time  `json:"planned"`
	// Ended is zero while it goes on.
	Ended time.Time `json:"ended,omitzero"`
	// Reason is why it is, or was last, pending.
	Reason string `json:"reason,omitempty"`
	// Retried is when the next attempt could start.
	Retried time.Time `json:"retried,omitzero"`
	Spans   []Span    `json:"spans"`

	pulling, running time.Time
	times            *step.Times
}

// ReadTries returns the attempts of a run's steps, in order. now is the end of what goes on.
func ReadTries(ctx context.Context, m driver.Reader, run string, now time.Time) (map[string][]Try, error) {
	events, err := m.Events(ctx, run, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the events of run %q: %w", run, err)
	}
	all := map[string][]*Try{}
	for _, e := range events {
		if err := fold(all, e); err != nil {
			return nil, fmt.Errorf("reading event %d of run %q: %w", e.Seq, run, err)
		}
	}
	tries := make(map[string][]Try, len(all))
	for name, some := range all {
		for _, t := range some {
			t.Spans = t.spans(now)
			tries[name] = append(tries[name], *t)
		}
	}
	return tries, nil
}

// fact is what the events of attempts have in common.
type fact struct {
	Step    string       `json:"step"`
	Number  int          `json:"number"`
	Reason  string       `json:"reason"`
	Outcome step.Outcome `json:"outcome"`
	Retry   *time.Time   `json:"retry"`
}

// fold takes in an event of package run's; those that don't tell of an attempt's course are left out.
func fold(all map[string][]*Try, e driver.Event) error {
	if !strings.HasPrefix(e.Kind, "attempt-") {
		return nil
	}
	var f fact
	if err := json.Unmarshal(e.Data, &f); err != nil {
		return err
	}
	if e.Kind == "attempt-planned" {
		all[f.Step] = append(all[f.Step], &Try{Number: f.Number, Status: "pending", ExitCode: -1, Planned: e.Time})
		return nil
	}
	tries := all[f.Step]
	if len(tries) == 0 || tries[len(tries)-1].Number != f.Number {
		return nil
	}
	t := tries[len(tries)-1]
	switch e.Kind {
	case "attempt-pending":
		t.Reason = f.Reason
		if t.pulling.IsZero() && strings.HasPrefix(f.Reason, "pulling") {
			t.pulling = e.Time
		}
	case "attempt-running":
		t.Status, t.running = "running", e.Time
	case "attempt-ended":
		t.Status, t.Failure, t.ExitCode, t.Usage = string(f.Outcome.Status), f.Outcome.Failure, f.Outcome.ExitCode, f.Outcome.Usage
		t.Ended, t.times = e.Time, f.Outcome.Times
		if f.Retry != nil {
			t.Retried = *f.Retry
		}
	}
	return nil
}

// skew is by how much clocks may differ before times are taken to be another clock's.
const skew = 2 * time.Second

// spans lays out the phases between the attempt's plan and its end.
func (t *Try) spans(now time.Time) []Span {
	end := t.Ended
	if end.IsZero() {
		end = now
	}
	times := step.Times{}
	if t.times != nil {
		times = *t.times
	}
	if times.Received.IsZero() {
		times.Received = t.running
	} else if off := end.Sub(times.Stored); !times.Stored.IsZero() && (off > skew || off < -skew) {
		for _, at := range []*time.Time{&times.Received, &times.Called, &times.Returned, &times.Stored} {
			if !at.IsZero() {
				*at = at.Add(off)
			}
		}
	}
	if t.Ended.IsZero() && !t.running.IsZero() { // what it is at isn't told before its end
		times.Called = t.running
	}
	begins := []struct {
		phase Phase
		at    time.Time
	}{{Waiting, t.Planned}, {Pulling, t.pulling}, {Importing, times.Received}, {Executing, times.Called}, {Uploading, times.Returned}}
	var spans []Span
	for _, b := range begins {
		if b.at.IsZero() {
			continue
		}
		at := b.at
		if n := len(spans); n > 0 {
			at = later(at, spans[n-1].Start)
			spans[n-1].End = earlier(at, end)
		}
		spans = append(spans, Span{Phase: b.phase, Start: earlier(at, end), End: end})
	}
	return spans
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

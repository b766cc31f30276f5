package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/proa-ml/proa/artifact"
	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/step"
)

// parts are what effects are done with.
type parts struct {
	Components
	grace time.Duration
	// readers is how many cached results are looked after at a time.
	readers int
	logs    *logbook
	// notice tells the user something.
	notice func(text string)
}

// unavailable returns the name of what an error says is unavailable for now, or "".
func unavailable(err error) string {
	switch {
	case errors.Is(err, mdriver.ErrUnavailable):
		return "metadata store"
	case errors.Is(err, artifact.ErrUnavailable):
		return "artifact store"
	case errors.Is(err, orchestrator.ErrUnavailable):
		return "orchestrator"
	}
	return ""
}

// queued reports whether an attempt waits in the orchestrator's memory, for room, or for somebody's consent. It will start, but
// only asking again makes that sure: should this process end before, the next one asks anew.
func queued(err error) bool {
	return errors.Is(err, orchestrator.ErrQueued) || errors.Is(err, orchestrator.ErrNoRoom) || errors.Is(err, orchestrator.ErrHeldUp)
}

// retriable reports whether an effect that failed like this has to be tried again: something is unavailable, the attempt
// is queued, or the coordinator is told to stop.
func retriable(ctx context.Context, err error) bool {
	return err != nil && (unavailable(err) != "" || queued(err) || ctx.Err() != nil)
}

// perform does an effect. Its error is always one after which it has to be done again; a final failure is something seen.
func (c *coordinator) perform(ctx context.Context, e effect) (observation, error) {
	switch e := e.(type) {
	case lookUp:
		return c.lookUp(ctx, e)
	case start:
		err := c.start(ctx, e)
		if retriable(ctx, err) {
			return nil, err
		}
		if err != nil {
			return startDone{e.attempt, &step.Failure{Kind: step.FailureConfig, Message: "it can't be started: " + err.Error()}}, nil
		}
		return startDone{attempt: e.attempt}, nil
	case stop:
		return stopDone(e), c.tolerate(ctx, e, c.parts.Orchestrator.Stop(ctx, e.attempt, c.parts.grace))
	case readOutcome:
		return c.readOutcome(ctx, e)
	case remove:
		return removeDone{e.attempt}, c.tolerate(ctx, e, c.parts.Orchestrator.Remove(ctx, e.attempt, e.failed))
	case sweep:
		err := c.parts.Orchestrator.Stop(ctx, e.attempt, 0)
		if err == nil {
			err = c.parts.Orchestrator.Remove(ctx, e.attempt, false)
		}
		return removeDone(e), c.tolerate(ctx, e, err)
	}
	return nil, fmt.Errorf("unknown effect %T", e)
}

// tolerate tells the user about a final failure of an effect without which the run can go on.
func (c *coordinator) tolerate(ctx context.Context, e effect, err error) error {
	if err == nil || retriable(ctx, err) {
		return err
	}
	c.parts.notice(fmt.Sprintf("could not %s attempt %s, which may have to be cleaned up by hand: %v", e.name(), e.subject(), err))
	return nil
}

// start stores what the launcher has to know, and then starts it.
func (c *coordinator) start(ctx context.Context, e start) error {
	inputs := maps.Clone(e.inputs)
	for name, a := range inputs {
		if a.Type != "" {
			continue
		}
		// An artifact that existed before the run: the spec gives its digest only.
		m, err := c.parts.Artifacts.Manifest(ctx, a.Digest)
		if err != nil {
			return fmt.Errorf("reading input %q, artifact %s: %w", name, a.Digest, err)
		}
		inputs[name] = describe(a.Digest, m)
	}
	data, err := json.Marshal(invocation(c.state, e, inputs, c.parts.grace))
	if err != nil {
		return fmt.Errorf("encoding the invocation: %w", err)
	}
	if err := c.parts.Artifacts.Put(ctx, step.InvocationKey(c.state.id, e.attempt), data); err != nil {
		return fmt.Errorf("storing the invocation: %w", err)
	}
	return c.parts.Orchestrator.Start(ctx, order(c.state, e, c.parts.grace))
}

func describe(digest string, m step.Manifest) step.Artifact {
	a := step.Artifact{Digest: digest, Type: m.Type, Materializer: m.Materializer, Preview: m.Preview}
	for _, f := range m.Files {
		a.Size += f.Size
	}
	return a
}

// readOutcome fetches what an attempt left. The stored outcome is the truth, whatever the orchestrator says.
func (c *coordinator) readOutcome(ctx context.Context, e readOutcome) (observation, error) {
	data, err := c.parts.Artifacts.Get(ctx, step.OutcomeKey(c.state.id, e.attempt))
	switch {
	case errors.Is(err, artifact.ErrNotFound):
		words := c.parts.logs.catchUp(ctx, c.parts, c.state.id, e.attempt)
		return outcomeRead{attempt: e.attempt, words: lastLines(words)}, nil
	case retriable(ctx, err):
		return nil, fmt.Errorf("reading an outcome: %w", err)
	case err != nil:
		return outcomeRead{attempt: e.attempt, failure: unreadable(err)}, nil
	}
	var outcome step.Outcome
	if err := json.Unmarshal(data, &outcome); err != nil {
		return outcomeRead{attempt: e.attempt, failure: unreadable(err)}, nil
	}
	c.parts.logs.catchUp(ctx, c.parts, c.state.id, e.attempt)
	return outcomeRead{attempt: e.attempt, outcome: &outcome}, nil
}

func unreadable(err error) *step.Failure {
	return &step.Failure{Kind: step.FailureConfig, Message: "its outcome can't be read: " + err.Error()}
}

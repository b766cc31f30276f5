package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/metadata/driver"
)

// Result is what became of a run.
type Result struct {
	RunID, Name    string
	Status         Status
	Started, Ended time.Time
	// Steps are in the plan's order, as the metadata store has them.
	Steps []driver.Step
}

// Execute drives a run to its end and returns what became of it. A failed step is a Result, not an error.
//
// The run may be new, or another Execute's that is no more: this one folds what is recorded, adopts what runs and goes on.
// While the metadata store, the artifact store or the orchestrator is unavailable it waits, and says so to the observer. An
// error means that this process can't go on: the context was cancelled, another coordinator has taken the run
// (driver.ErrFenced), or something failed for good. The run then stays as it is recorded, and can be executed again.
func Execute(ctx context.Context, c Components, runID string, opts *Options) (Result, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return Result{}, err
	}
	e := newEngine(c, o)
	r, err := retrying(ctx, e, func() (driver.Run, error) { return c.Metadata.Run(ctx, runID) })
	if err != nil {
		return Result{}, fmt.Errorf("reading run %s: %w", runID, err)
	}
	lease := driver.Lease{}
	if !Status(r.Status).Final() {
		if lease, err = e.acquire(ctx, r.ID); err != nil {
			return Result{}, err
		}
	}
	if err := e.load(ctx, r, lease); err != nil {
		return Result{}, err
	}
	if err := e.execute(ctx, lease); err != nil {
		return Result{}, fmt.Errorf("run %s: %w", r.Name, err)
	}
	return resultOf(e.core.state), nil
}

func resultOf(s *state) Result {
	result := Result{RunID: s.id, Name: s.name, Status: s.status, Started: s.started, Ended: s.ended}
	for i := range s.steps {
		result.Steps = append(result.Steps, stepRow(s, &s.steps[i]))
	}
	return result
}

// load folds the run's recorded events, and tells the observer all of them.
func (e *engine) load(ctx context.Context, r driver.Run, lease driver.Lease) error {
	var past []Recorded
	core, err := retrying(ctx, e, func() (core *coordinator, err error) {
		core, past, err = load(ctx, e.parts, r, lease)
		return core, err
	})
	if err != nil {
		return err
	}
	e.core = core
	e.tell(past)
	return nil
}

// execute runs the goroutines around the loop. When it returns, none of them is left.
func (e *engine) execute(ctx context.Context, lease driver.Lease) error {
	if e.core.state.status.Final() {
		return nil
	}
	inner, cancel := context.WithCancel(ctx)
	e.tasks.Go(func() { e.keepLease(inner, lease) })
	e.watch(inner, 0)
	err := e.loop(inner, lease)
	cancel()
	e.tasks.Wait()
	if ctx.Err() != nil && err != nil {
		e.release(ctx, lease)
		return ctx.Err()
	}
	return err
}

// loop is the heart: see, decide, record, do.
func (e *engine) loop(ctx context.Context, lease driver.Lease) error {
	before := ""
	if e.Before != nil && e.core.state.seq > 0 {
		before = e.Before(ctx)
	}
	seen := []observation{begun{mode: e.Mode, parallelism: e.MaxParallelism, deadline: e.Deadline, lease: lease, before: before}, taken(lease)}
	for {
		if err := e.core.turn(seen, e.Now()); err != nil {
			return err
		}
		recorded, err := retrying(ctx, e, func() ([]Recorded, error) { return e.core.commit(ctx) })
		if err != nil {
			return err
		}
		e.tell(recorded)
		if e.core.state.status.Final() {
			return nil
		}
		for _, effect := range e.core.take(e.Now()) {
			e.begin(ctx, effect)
		}
		if seen, err = e.wait(ctx); err != nil {
			return err
		}
	}
}

// tell passes recorded events on, and opens and closes the logs of the attempts they are about.
func (e *engine) tell(events []Recorded) {
	for _, r := range events {
		e.observer.Event(r)
		e.Logger.Debug("recorded", "seq", r.Seq, "kind", r.Event.Kind())
		switch event := r.Event.(type) {
		case AttemptPlanned:
			e.logs.expect(event.Name, event.Step, event.Number)
		case AttemptEnded:
			e.logs.forget(event.Outcome.Name)
		}
	}
}

// begin does an effect in a goroutine, which reports to the inbox.
func (e *engine) begin(ctx context.Context, effect effect) {
	e.tasks.Go(func() {
		select {
		case e.hands <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-e.hands }()
		seen, err := e.core.perform(ctx, effect)
		e.inbox.put(report{seen: seen, effect: effect, err: err})
	})
}

// wait returns what is seen next, or nothing if it is time to do something anyway.
func (e *engine) wait(ctx context.Context) ([]observation, error) {
	var alarm <-chan time.Time
	if at := e.core.wake(e.Now()); !at.IsZero() {
		timer := time.NewTimer(at.Sub(e.Now()))
		defer timer.Stop()
		alarm = timer.C
	}
	first, gathered := e.inbox.filled, (<-chan time.Time)(nil)
	patience := gather
	if e.core.state.open == 0 {
		patience = gatherLast
	}
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-e.cancelOn:
			e.cancelOn = nil
			return []observation{cancelAsked{}}, nil
		case <-alarm:
			return nil, nil
		case <-first:
			first, gathered = nil, time.After(patience)
		case <-e.inbox.pressing:
			return e.sort(ctx, e.inbox.take())
		case <-gathered:
			return e.sort(ctx, e.inbox.take())
		}
	}
}

// gather is how long reports from which nothing follows wait for others; gatherLast when the run's end waits for nothing
// else.
const (
	gather     = 100 * time.Millisecond
	gatherLast = 5 * time.Millisecond
)

// sort takes out of reports what is to be seen, and sees to what concerns only this process.
func (e *engine) sort(ctx context.Context, reports []report) ([]observation, error) {
	var seen []observation
	for _, r := range reports {
		what := unavailable(r.err)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case r.watchEnded && what != "":
			e.unavailable(what, r.err)
			e.watch(ctx, backoffMax/10)
		case r.watchEnded:
			return nil, fmt.Errorf("watching the run's attempts: %w", r.err)
		case r.effect != nil && queued(r.err):
			e.core.desk.park(r.effect, e.Now())
		case r.effect != nil && what != "":
			e.unavailable(what, r.err)
			e.core.desk.postpone(r.effect, what, e.Now())
		case r.err != nil:
			return nil, r.err
		case r.effect != nil:
			e.available(e.core.desk.done(r.effect))
			fallthrough
		default:
			seen = append(seen, timed{r.seen, r.at})
		}
	}
	return seen, nil
}

// watch has the orchestrator tell about attempts, after a delay. It is told which of them were started before.
func (e *engine) watch(ctx context.Context, delay time.Duration) {
	var known []string
	for i := range e.core.state.steps {
		if a := &e.core.state.steps[i].attempt; a.phase == accepted || a.phase == running {
			known = append(known, a.name)
		}
	}
	e.tasks.Go(func() {
		if pause.For(ctx, delay) != nil {
			return
		}
		err := e.parts.Orchestrator.Watch(ctx, e.core.state.id, known, sink{e.inbox, e.logs})
		if err == nil {
			err = errors.New("it ended by itself")
		}
		e.inbox.put(report{watchEnded: true, err: err})
	})
}

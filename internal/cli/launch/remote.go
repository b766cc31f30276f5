package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/settle"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/stack"
)

// runRemote builds the images, submits the run and follows it.
func (l *launch) runRemote(ctx context.Context) error {
	before := l.interrupt.first
	coordinator, err := l.build(before)
	if err != nil {
		return err
	}
	l.plan.Coordinator = coordinator
	if err := l.create(before); err != nil {
		return err
	}
	if err := l.submit(before, coordinator); err != nil {
		return errors.Join(err, l.abandon(context.WithoutCancel(ctx)))
	}
	if s := l.settings.Synchronous; s != nil && !*s {
		l.view.Say(fmt.Sprintf("Run %s goes on in the cluster. See it with `proa runs show %[1]s` and `proa runs logs %[1]s`.", l.run.Name))
		return nil
	}
	l.view.Begin(l.run.Name, l.plan)
	return l.follow(ctx)
}

func (l *launch) submit(ctx context.Context, coordinator string) error {
	config, err := json.Marshal(coordinatorConfig{Stack: l.inside, Store: l.store, Settings: l.settings})
	if err != nil {
		return errors.New("encoding the coordinator's configuration failed")
	}
	stage := l.view.Stage("submit")
	err = l.remote.Submit(ctx, flavor.Submission{
		Run: l.run.ID, RunName: l.run.Name, Pipeline: l.pipeline.Name,
		Image: coordinator, Args: []string{"coordinate"}, Settings: l.plan.Settings, Config: config, PullConfig: l.pull.Data, Store: l.store, Secrets: l.secrets,
	})
	stage.Done("")
	return l.broken(stack.Orchestrator, err)
}

// abandon removes a run that could not be submitted.
func (l *launch) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	id := l.run.ID
	l.run.ID = ""
	return errors.Join(l.remote.Sweep(ctx, id), l.metadata.DeleteRun(ctx, id))
}

// follow shows the run until it has ended. The first interrupt cancels it; the second leaves it alone.
func (l *launch) follow(ctx context.Context) error {
	f := &following{launch: l, stage: l.view.Stage("coordinator"), heard: make(chan struct{})}
	f.end.Observer = run.Once(takeovers{f})
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cancelled := make(chan struct{})
	go func() {
		defer close(cancelled)
		f.cancelOnInterrupt(ctx, stop)
	}()
	err := l.remote.Follow(ctx, l.run.ID, f.line, f.waiting)
	f.arrived()
	stop(nil)
	<-cancelled
	if errors.Is(context.Cause(ctx), errNeverStarted) {
		return l.withdraw()
	}
	return f.ended(l.interrupt.last, err)
}

var errNeverStarted = errors.New("the coordinator never started")

// cancelOnInterrupt asks the coordinator to cancel the run at the first interrupt. A coordinator that isn't there yet
// can't be asked; following ends then.
func (f *following) cancelOnInterrupt(ctx context.Context, stop context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-f.interrupt.first.Done():
	}
	if f.interrupt.last.Err() != nil {
		return
	}
	if !f.mayReconsider(ctx) {
		return
	}
	f.view.Say("Cancelling the run. Interrupt again to not wait for its end.")
	select {
	case <-f.heard:
	default:
		stop(errNeverStarted)
		return
	}
	f.cancelling.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout) // what was said is done
	defer cancel()
	if err := f.metadata.RequestCancel(ctx, f.run.ID); err != nil {
		f.view.Notice(fmt.Sprintf("cancelling failed: %v; try `proa runs cancel %s`", err, f.run.Name))
	}
}

// requestTimeout bounds the request to cancel.
const requestTimeout = 10 * time.Second

// reconsider is how long a person at a terminal may take to press Ctrl-C again, and leave the run running.
const reconsider = 2 * time.Second

// mayReconsider gives a person at a terminal a moment, and reports whether the run is to be cancelled.
func (f *following) mayReconsider(ctx context.Context) bool {
	if !f.ErrTerminal {
		return true
	}
	f.view.Say(fmt.Sprintf("Cancelling the run in %.0f seconds. Interrupt again to leave it running in the cluster.", reconsider.Seconds()))
	timer := time.NewTimer(reconsider)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.interrupt.last.Done():
		return false
	case <-ctx.Done():
		return false
	}
}

// withdraw ends a run whose coordinator never started.
func (l *launch) withdraw() error {
	status, err := l.endHere(l.interrupt.last)
	if err != nil {
		return err
	}
	l.view.Say(fmt.Sprintf("Run %s: %s", l.run.Name, status))
	return verdict(l.run.Name, status)
}

// endHere ends a run that nothing drives any more, and returns how it has ended.
func (l *launch) endHere(ctx context.Context) (run.Status, error) {
	if err := l.remote.Sweep(ctx, l.run.ID); err != nil {
		return "", err
	}
	result, err := settle.Cancel(ctx, l.Kit, run.Components{Artifacts: l.artifacts, Metadata: l.metadata}, l.run.ID, l.view)
	return result.Status, err
}

// deleted ends a run whose Job somebody deleted in the cluster: it would be shown as running for ever.
func (l *launch) deleted(ctx context.Context) error {
	status, err := l.endHere(ctx)
	if err != nil {
		return err
	}
	l.view.Summary(l.began)
	return fault.New(fault.Infrastructure, fmt.Sprintf("`proa runs resume %s` goes on from what had succeeded", l.run.Name),
		"run %s was deleted in the cluster while it ran, and has ended here: %s", l.run.Name, status)
}

// ended turns the end of following into the end of the command.
func (f *following) ended(ctx context.Context, err error) error {
	l, status := f.launch, f.end.status
	comeBack := fmt.Sprintf("come back to it with `proa logs %[1]s -f`, see it with `proa runs show %[1]s`, end it with `proa runs cancel %[1]s`", l.run.Name)
	switch {
	case ctx.Err() != nil && f.cancelling.Load():
		return fault.New(fault.Cancelled, fmt.Sprintf("see whether it has ended with `proa runs show %[1]s`; `proa runs cancel %[1]s` waits for it", l.run.Name),
			"run %s is being cancelled in the cluster", l.run.Name)
	case ctx.Err() != nil:
		return fault.New(fault.Cancelled, comeBack, "run %s goes on in the cluster", l.run.Name)
	}
	if !status.Final() {
		// The coordinator may have ended the run without our hearing of it.
		if r, readErr := l.metadata.Run(ctx, l.run.ID); readErr == nil {
			status = run.Status(r.Status)
		}
	}
	if !status.Final() && errors.Is(err, orchestrator.ErrGone) {
		return l.deleted(ctx)
	}
	if !status.Final() {
		if err == nil {
			err = errors.New("its coordinator ended before it")
		}
		f.sayWords()
		return fault.New(fault.Infrastructure, comeBack, "run %s can't be followed any more: %w", l.run.Name, err)
	}
	if err := l.remote.Finish(ctx, l.run.ID); err != nil {
		l.view.Notice(err.Error())
	}
	l.view.Summary(l.began)
	return verdict(l.run.Name, status)
}

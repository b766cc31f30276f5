package run

import (
	"context"
	"fmt"
	"sync"

	"github.com/proa-ml/proa/internal/pause"
)

// hands is how many effects are under way at a time, readers how many artifacts the looking up of cached results looks after.
const (
	hands   = 64
	readers = 16
)

// engine is one Execute: the coordinator, its goroutines, and their way to the loop.
type engine struct {
	Options
	parts    parts
	core     *coordinator
	observer Observer
	cancelOn <-chan struct{}
	inbox    *inbox
	logs     *logbook
	// tasks are all goroutines; hands are held by those that do an effect.
	tasks sync.WaitGroup
	hands chan struct{}
	// down tells what is unavailable, so that the user hears it once. Only the loop's goroutine touches it.
	down map[string]bool
}

func newEngine(c Components, o Options) *engine {
	observer := &oneAtATime{to: o.Observer}
	logs := newLogbook(observer)
	return &engine{
		Options: o, observer: observer, cancelOn: o.CancelOn, inbox: newInbox(o.Now), logs: logs,
		hands: make(chan struct{}, hands), down: map[string]bool{},
		parts: parts{Components: c, grace: o.Grace, readers: readers, logs: logs, notice: observer.Notice},
	}
}

// unavailable tells the user, once, that the run waits for something.
func (e *engine) unavailable(what string, err error) {
	e.Logger.Debug("unavailable", "what", what, "error", err)
	if !e.down[what] {
		e.down[what] = true
		e.observer.Notice(fmt.Sprintf("the %s is unavailable; the run waits for it (%v)", what, err))
	}
}

// available tells the user that the run goes on.
func (e *engine) available(what string) {
	if what != "" && e.down[what] {
		delete(e.down, what)
		e.observer.Notice(fmt.Sprintf("the %s is back; the run goes on", what))
	}
}

// retrying calls f until it finds nothing unavailable any more.
func retrying[T any](ctx context.Context, e *engine, f func() (T, error)) (T, error) {
	waitedFor := ""
	for tries := 1; ; tries++ {
		value, err := f()
		what := unavailable(err)
		if err == nil {
			e.available(waitedFor)
		}
		if what == "" {
			return value, err
		}
		waitedFor = what
		e.unavailable(what, err)
		if err := pause.For(ctx, backoff(tries)); err != nil {
			return value, err
		}
	}
}

package launcher

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/proa-ml/proa/internal/proc"
)

// cause is what made a step end before its time.
type cause int

const (
	none      cause = iota
	cancelled       // somebody asked for it
	timedOut        // it ran too long
	orphaned        // the coordinator is gone
)

// ender ends the step: what is done before the runner starts, or the runner.
type ender struct {
	stopEarly context.CancelFunc

	mu     sync.Mutex
	why    cause
	asked  bool
	runner *proc.Process
	grace  time.Duration
}

func newEnder(stopEarly context.CancelFunc) *ender { return &ender{stopEarly: stopEarly} }

// listen waits for what ends a step. It returns a function that ends the listening.
func (e *ender) listen(ctx context.Context, signals <-chan os.Signal, parent *os.File) (stop func()) {
	var gone chan struct{}
	if parent != nil {
		gone = make(chan struct{})
		go func() {
			// Nobody ever writes: this returns when the pipe is closed, or at the latest with the process.
			_, _ = parent.Read(make([]byte, 1))
			close(gone)
		}()
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		e.loop(ctx.Done(), signals, gone, done)
	}()
	return func() {
		close(done)
		<-stopped
	}
}

func (e *ender) loop(ended <-chan struct{}, signals <-chan os.Signal, gone <-chan struct{}, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-ended:
			ended = nil
			e.ask(cancelled)
		case <-gone:
			gone = nil
			e.ask(orphaned)
		case s := <-signals:
			e.signal(s)
		}
	}
}

// signal handles a signal to the launcher: those that end a process end the step, the others go on to it.
func (e *ender) signal(s os.Signal) {
	switch s {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT:
		e.ask(cancelled)
	case syscall.SIGPIPE:
	default:
		e.mu.Lock()
		defer e.mu.Unlock()
		if sig, ok := s.(syscall.Signal); ok && e.runner != nil {
			_ = e.runner.Signal(sig)
		}
	}
}

// ask ends the step on request. A second request doesn't wait for the grace time to pass.
func (e *ender) ask(why cause) {
	e.mu.Lock()
	again := e.asked
	e.asked = true
	runner := e.runner
	e.mu.Unlock()
	if again && runner != nil {
		runner.Kill()
		return
	}
	e.end(why)
}

// end ends the step. The first cause is the one that counts.
func (e *ender) end(why cause) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.why != none {
		return
	}
	e.why = why
	e.stopEarly()
	if e.runner != nil {
		e.runner.Stop(e.grace)
	}
}

// start starts the runner and is responsible for it from its first moment on: signals that come meanwhile wait. limit
// bounds the runner's time; 0 is none. The function that is returned ends that.
func (e *ender) start(start func() (*proc.Process, error), grace, limit time.Duration) (*proc.Process, func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := start()
	if err != nil {
		return nil, nil, err
	}
	e.runner, e.grace = p, grace
	if e.why != none {
		p.Stop(grace)
	}
	if limit <= 0 {
		return p, func() {}, nil
	}
	timer := time.AfterFunc(limit, func() { e.end(timedOut) })
	return p, func() { timer.Stop() }, nil
}

// cause returns what ended the step, if anything did.
func (e *ender) cause() cause {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.why
}

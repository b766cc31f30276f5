// Package local runs the attempts of steps as processes on this machine, under the same launcher and contract as in a
// container. The processes belong to the process that started them: when it ends, in whatever way, they end.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// Config is what a local orchestrator needs.
type Config struct {
	// Launcher is the path of proa-step.
	Launcher string
	// Access is what the launchers need to reach the artifact store.
	Access step.Access
	// Dir is a folder for the processes' temporary files. Several orchestrators may share it; what each of them puts
	// there is removed when it is closed, or, after a crash, when the next one is made.
	Dir string
	// Parallelism bounds how many attempts run at once; 0 means twice the number of processors.
	Parallelism int
	// Environ is the environment that launchers and steps inherit; nil means this process's.
	Environ []string
	// Offer is a process that steps can be forked from, and then belongs to the orchestrator; nil means that there is none.
	Offer *forks.Offer
}

// Options tune a local orchestrator; nil means the defaults.
type Options struct {
	// Logger is told of what the orchestrator does; nil means silence.
	Logger *slog.Logger
}

// Orchestrator runs attempts as processes of this machine.
type Orchestrator struct {
	launcher    string
	access      string
	environ     []string
	parallelism int
	logger      *slog.Logger
	home        *home
	forks       *forks.Server
	// forksSocket is where launchers order forks; nil where nothing can be forked.
	forksSocket *os.File
	// lifeRead is inherited by every launcher; it closes when the process that holds lifeWrite ends.
	lifeRead, lifeWrite *os.File

	mu       sync.Mutex
	closed   bool
	running  int
	queue    []*attempt
	attempts map[string]*attempt
	watchers map[*watcher]struct{}
	owned    sync.WaitGroup
}

var _ driver.Orchestrator = (*Orchestrator)(nil)

// New makes a local orchestrator. Nothing runs before the first Start.
func New(cfg Config, opts *Options) (*Orchestrator, error) {
	launcher, err := filepath.Abs(cfg.Launcher)
	if err != nil {
		return nil, fmt.Errorf("finding the launcher %q: %w", cfg.Launcher, err)
	}
	if info, err := os.Stat(launcher); err != nil {
		return nil, fmt.Errorf("the launcher proa-step isn't where it should be, beside proa: %w", err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("the launcher %s is a folder, not a program", launcher)
	}
	o := &Orchestrator{
		launcher:    launcher,
		environ:     environ(cfg.Environ),
		parallelism: cfg.Parallelism,
		logger:      slog.New(slog.DiscardHandler),
		attempts:    map[string]*attempt{},
		watchers:    map[*watcher]struct{}{},
	}
	if o.parallelism <= 0 {
		o.parallelism = 2 * runtime.NumCPU()
	}
	if opts != nil && opts.Logger != nil {
		o.logger = opts.Logger
	}
	if err := o.open(cfg); err != nil {
		return nil, err
	}
	return o, nil
}

// open makes what has to be closed.
func (o *Orchestrator) open(cfg Config) (err error) {
	if o.home, err = openHome(cfg.Dir); err != nil {
		return err
	}
	if o.access, err = o.home.writeAccess(cfg.Access); err == nil {
		o.lifeRead, o.lifeWrite, err = os.Pipe()
	}
	if err != nil {
		return errors.Join(err, o.home.close())
	}
	o.forks = forks.NewServer(filepath.Join(o.home.dir, "forks"), mostOrigins)
	if cfg.Offer != nil {
		o.forks.Offer(*cfg.Offer)
	}
	if o.forksSocket, err = o.forks.Listen(); err != nil {
		o.logger.Debug("steps are not forked", "error", err)
	}
	return nil
}

// mostOrigins is from how many processes, one for each module of steps, the processes of steps are forked.
const mostOrigins = 8

// Start implements driver.Orchestrator.
func (o *Orchestrator) Start(_ context.Context, a driver.Attempt) error {
	if !cleanName(a.Name) {
		return fmt.Errorf("%q can't be an attempt's name", a.Name)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return errClosed
	}
	if _, exists := o.attempts[a.Name]; exists {
		return nil
	}
	at := newAttempt(a)
	o.attempts[a.Name] = at
	o.queue = append(o.queue, at)
	o.report(at)
	o.advance()
	return nil
}

var errClosed = errors.New("the local orchestrator is closed")

// advance starts queued attempts as far as there are free slots. The lock is held.
func (o *Orchestrator) advance() {
	for len(o.queue) > 0 && o.running < o.parallelism && !o.closed {
		at := o.queue[0]
		o.queue = o.queue[1:]
		o.running++
		o.launch(at)
	}
	for _, at := range o.queue {
		reason := fmt.Sprintf("waiting for a free slot (at most %d at once on this machine)", o.parallelism)
		if at.status.Reason != reason {
			at.status.Reason = reason
			o.report(at)
		}
	}
}

// Stop implements driver.Orchestrator.
func (o *Orchestrator) Stop(_ context.Context, name string, grace time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.attempts[name]
	switch {
	case at == nil, at.status.Phase == driver.Ended:
	case at.process == nil:
		o.unqueue(at)
		o.end(at, -1, &step.Failure{Kind: step.FailureCancelled, Message: "stopped before it was started"})
	default:
		at.process.stop(at.stopped, grace)
		at.stopped = true
	}
	return nil
}

func (o *Orchestrator) unqueue(at *attempt) {
	for i, queued := range o.queue {
		if queued == at {
			o.queue = append(o.queue[:i:i], o.queue[i+1:]...)
			return
		}
	}
}

// Remove implements driver.Orchestrator. An attempt that still runs is killed.
func (o *Orchestrator) Remove(_ context.Context, name string, _ bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.attempts[name]
	if at == nil {
		return nil
	}
	o.unqueue(at)
	if at.process != nil && at.status.Phase != driver.Ended {
		at.process.stop(at.stopped, 0)
	}
	delete(o.attempts, name)
	return nil
}

// Close implements driver.Orchestrator: every attempt is ended, without an outcome unless it had succeeded, so that a
// run can be resumed.
func (o *Orchestrator) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		o.owned.Wait()
		return nil
	}
	o.closed = true
	o.queue = nil
	processes := o.processes()
	o.mu.Unlock()

	err := o.lifeWrite.Close()
	for _, p := range processes {
		// The launchers have noticed by themselves; this bounds how long they may take.
		p.after(closeGrace)
	}
	o.owned.Wait()
	o.forks.Close()
	return errors.Join(err, o.lifeRead.Close(), o.home.close())
}

// closeGrace is how long steps may take to end when the orchestrator is closed.
const closeGrace = 10 * time.Second

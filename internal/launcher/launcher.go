// Package launcher is proa-step: PID 1 of a step's container, and the parent of a step's process on a local stack.
//
// It reads the attempt's invocation from the artifact store, fetches the inputs, runs the language runner, and stores
// log, outputs and outcome; see package step for the contract. Main shows the order of things, and every other file one
// of them: ender.go what makes a step end early, verdict.go what its end means, log.go and live.go where its output
// goes, channel.go how the coordinator is told.
package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// Surroundings are what a launcher gets from its process.
type Surroundings struct {
	Environ []string
	// Signals delivers the signals that Signals lists.
	Signals <-chan os.Signal
	// Stdout receives the step's output, unchanged; Stderr what the launcher itself has to say.
	Stdout, Stderr io.Writer
	Now            func() time.Time
	// Root is the file system's root, where the kernel tells of memory.
	Root fs.FS
}

// Options tune a launcher; nil means the defaults.
type Options struct {
	// Patience is how long an unavailable artifact store is waited for, each time; 0 means 10 minutes.
	Patience time.Duration
	// Flush is how often a growing log is stored; 0 means 5 seconds.
	Flush time.Duration
}

// Signals lists what a launcher's process has to be notified of. SIGPIPE is among them so that an output that nobody
// reads any more doesn't kill the launcher.
func Signals() []os.Signal {
	return []os.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT, syscall.SIGWINCH, syscall.SIGPIPE,
	}
}

// Main runs one attempt, or in a warm pod one after the other, and returns the exit code: the last step's own, or one of
// those that package step reserves. The end of ctx ends the step as SIGTERM does.
func Main(ctx context.Context, s Surroundings, opts *Options) int {
	cfg, err := parse(s.Environ)
	if err != nil {
		_, _ = fmt.Fprintln(s.Stderr, "proa-step:", err)
		return step.ExitUsage
	}
	if cfg.client != nil {
		defer cfg.client.CloseIdleConnections()
	}
	if cfg.pod != "" && cfg.client != nil {
		return serveAttempts(ctx, cfg, s, opts)
	}
	l := newLauncher(cfg, s, opts)
	code, err := l.run(ctx)
	if err != nil {
		l.note("%v", err)
	}
	return code
}

// launcher runs one attempt.
type launcher struct {
	config
	Surroundings
	Options
	store *artifact.Store
	inv   step.Invocation
	work  workFolder
	begin time.Time
	// more says that the coordinator knows that this launcher takes another attempt.
	more bool
}

func newLauncher(cfg config, s Surroundings, opts *Options) *launcher {
	l := &launcher{config: cfg, Surroundings: s, begin: s.Now()}
	if opts != nil {
		l.Options = *opts
	}
	if l.Patience <= 0 {
		l.Patience = 10 * time.Minute
	}
	if l.Flush <= 0 {
		l.Flush = 5 * time.Second
	}
	return l
}

// note says something to whoever looks at the launcher's own output.
func (l *launcher) note(format string, args ...any) {
	_, _ = fmt.Fprintf(l.Stderr, "proa-step: "+format+"\n", args...)
}

// run is one attempt from beginning to end.
func (l *launcher) run(ctx context.Context) (code int, err error) {
	lasting := context.WithoutCancel(ctx)
	if l.store, err = artifact.Open(lasting, l.access.Store, nil); err != nil {
		return step.ExitUsage, err
	}
	defer func() { err = errors.Join(err, l.store.Close()) }()
	if l.work, err = makeWorkFolder(l.workRoot); err != nil {
		return step.ExitInternal, err
	}
	defer l.work.remove()

	early, stop := context.WithCancel(ctx)
	defer stop()
	e := newEnder(stop)
	defer e.listen(ctx, l.Signals, l.parent)()
	if code, err := l.readInvocation(early, e); err != nil {
		return code, err
	}
	coordinator := newChannel(l.config)
	defer coordinator.close()
	return l.attempt(early, lasting, e, coordinator)
}

// attempt runs the step, when the invocation is known. early ends when the step has to end; lasting doesn't.
func (l *launcher) attempt(early, lasting context.Context, e *ender, coordinator *channel) (int, error) {
	out, err := l.openOutput(lasting, coordinator)
	if err != nil {
		return step.ExitInternal, err
	}
	end := l.execute(early, lasting, e, out, coordinator)
	out.close()
	end.cause = e.cause()
	outcome := l.outcome(end)
	if end.cause == orphaned && outcome.Status != step.Succeeded {
		return end.code(), errors.New("the coordinator is gone; the step was ended without an outcome")
	}
	if err := l.keep(lasting, &outcome, end, out); err != nil {
		return step.ExitStore, err
	}
	outcome.Times.Stored = l.Now().UTC()
	if code, err := l.publish(lasting, outcome); err != nil {
		return code, err
	}
	l.more = coordinator.finish(lasting, outcome)
	if outcome.Status == step.Succeeded {
		return 0, nil
	}
	return end.code(), nil
}

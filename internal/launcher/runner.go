package launcher

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/internal/proc"
)

// runner is what runs the step, and what it is watched by.
type runner struct {
	forks.Order
	l           *launcher
	ender       *ender
	out         *output
	coordinator *channel
	grace       time.Duration
}

// newRunner finds the runner and its surroundings.
func (l *launcher) newRunner(e *ender, out *output, coordinator *channel) (*runner, error) {
	shared, own := l.environment()
	path, err := findProgram(l.inv.Command[0], shared["PATH"])
	if err != nil {
		return nil, err
	}
	// A missing folder would be reported as a missing program.
	if info, err := os.Stat(l.inv.Dir); err != nil {
		return nil, fmt.Errorf("its folder: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("its folder %s is none", l.inv.Dir)
	}
	r := &runner{l: l, ender: e, out: out, coordinator: coordinator, grace: l.inv.Grace}
	r.Order = forks.Order{Path: path, Args: l.inv.Command, Dir: l.inv.Dir, Env: shared, Own: own, Source: l.inv.Source}
	if r.grace <= 0 {
		r.grace = defaultGrace
	}
	return r, nil
}

// run has the runner forked if it can be, starts it otherwise, and waits for its end.
func (r *runner) run(ctx context.Context) (proc.Exit, error) {
	begin := time.Now()
	if r.l.forker != nil && forks.Forks(r.Args) {
		exit, err := r.watch(ctx, r.fork, r.l.inv.Timeout)
		if err == nil {
			return exit, nil
		}
		r.l.note("%v; it is started as a new process", err)
	}
	limit := r.l.inv.Timeout
	if limit > 0 {
		limit = max(1, limit-time.Since(begin))
	}
	return r.watch(ctx, r.spawn, limit)
}

func (r *runner) fork() (*proc.Process, error) { return r.l.forker.Fork(r.Order, r.out) }

func (r *runner) spawn() (*proc.Process, error) {
	if server, ok := r.l.forker.(*forks.Server); ok {
		// Orphans are adopted for a process that is the only one.
		server.Clear()
	}
	return proc.Start(proc.Command{
		Path: r.Path, Args: r.Args, Dir: r.Dir, Env: assignments(r.Env, r.Own),
		Output: r.out, Orphans: true, DieWithParent: true,
	})
}

// watch waits for the end of the process that start starts. An error says that it never was.
func (r *runner) watch(ctx context.Context, start func() (*proc.Process, error), limit time.Duration) (proc.Exit, error) {
	p, detach, err := r.ender.start(start, r.grace, limit)
	if err != nil {
		return proc.Exit{}, err
	}
	r.coordinator.started(ctx)
	exit := p.Wait()
	detach()
	return exit, p.Refused()
}

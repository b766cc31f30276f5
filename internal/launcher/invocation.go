package launcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// readInvocation reads what to do, and claims the attempt: of two launchers that are told to run one attempt, only the first
// does. An error comes with the exit code.
func (l *launcher) readInvocation(ctx context.Context, e *ender) (int, error) {
	var data []byte
	claimed := false
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return l.persist(gctx, func() (err error) {
			data, err = l.store.Get(gctx, step.InvocationKey(l.runID, l.attemptName))
			return err
		})
	})
	group.Go(func() (err error) {
		claimed, err = l.putFirst(gctx, step.ClaimKey(l.runID, l.attemptName), l.claim())
		return err
	})
	err := group.Wait()
	switch {
	case err != nil && e.cause() != none:
		return 128 + 15, errors.New("ended on request, before the step's invocation was read")
	case err != nil:
		return step.ExitStore, fmt.Errorf("reading the step's invocation: %w", err)
	case !claimed:
		return step.ExitSuperseded, fmt.Errorf("attempt %s was begun by another launcher already; nothing was run", l.attemptName)
	}
	return step.ExitUsage, l.decode(data)
}

// claim is what tells this launcher from any other that is told to run the attempt.
func (l *launcher) claim() []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n", l.host, os.Getpid(), l.begin.UTC().Format(time.RFC3339Nano))
}

// putFirst stores an object unless there is one, and reports whether this launcher has stored it.
func (l *launcher) putFirst(ctx context.Context, key string, data []byte) (first bool, err error) {
	err = l.persist(ctx, func() (err error) {
		first, err = l.store.PutNew(ctx, key, data)
		if err != nil || first {
			return err
		}
		// Perhaps it is this very one, and only the answer was lost.
		stored, err := l.store.Get(ctx, key)
		first = err == nil && bytes.Equal(stored, data)
		return err
	})
	return first, err
}

func (l *launcher) decode(data []byte) error {
	// Not strict: what an invocation may hold besides is for later launchers.
	if err := json.Unmarshal(data, &l.inv); err != nil {
		return fmt.Errorf("decoding the step's invocation: %w", err)
	}
	switch {
	case l.inv.APIVersion != spec.APIVersion:
		return fmt.Errorf("the step's invocation has the version %q, but this proa-step knows only %q; launcher and coordinator must be of one release", l.inv.APIVersion, spec.APIVersion)
	case l.inv.Name != l.attemptName || l.inv.Run != l.runID:
		return fmt.Errorf("the invocation stored for attempt %s of run %s is that of attempt %s of run %s", l.attemptName, l.runID, l.inv.Name, l.inv.Run)
	case len(l.inv.Command) == 0:
		return errors.New("the step's invocation names no command")
	}
	for _, name := range l.inv.Secrets {
		if l.access.Secrets[name] == nil {
			return fmt.Errorf("the step's secret %q is not among what the run was started with", name)
		}
	}
	return nil
}

// variables are the step's secrets as environment variables.
func (l *launcher) variables() map[string]string {
	vars := map[string]string{}
	for _, values := range l.secrets() {
		for key, value := range values {
			if step.SecretVariable(key) {
				vars[key] = value
			}
		}
	}
	return vars
}

// secrets are those that the step is given.
func (l *launcher) secrets() map[string]map[string]string {
	if len(l.inv.Secrets) == 0 {
		return nil
	}
	given := map[string]map[string]string{}
	for _, name := range l.inv.Secrets {
		given[name] = l.access.Secrets[name]
	}
	return given
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// persist calls f until it doesn't fail for an unavailable artifact store, or until patience or ctx ends.
func (l *launcher) persist(ctx context.Context, f func() error) error {
	begin := time.Now()
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		err := f()
		if err == nil || !artifact.Transient(err) || time.Since(begin) > l.Patience {
			return err
		}
		if wait == firstPause {
			l.note("waiting: %v", err)
		}
		if pause.For(ctx, wait) != nil {
			return err
		}
	}
}

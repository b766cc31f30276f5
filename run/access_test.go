package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/proa-ml/proa/artifact"
	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// errLost stands for a reply that didn't arrive; each store has its own word for it.
func errLost(sentinel error) error { return fmt.Errorf("connection reset: %w", sentinel) }

// faulty calls f with bad luck: the call doesn't arrive, or its reply doesn't.
func faulty[T any](s *sim, sentinel error, f func() (T, error)) (T, error) {
	var zero T
	if s.world.now.Before(s.world.outage(sentinel)) || s.world.chance(s.faults) {
		return zero, errLost(sentinel)
	}
	v, err := f()
	if s.world.chance(s.faults) {
		return zero, errLost(sentinel)
	}
	return v, err
}

// outage returns when the store of that sentinel is back: each is away for a while now and then.
func (w *world) outage(sentinel error) time.Time {
	second := w.now.Unix() % 60
	away := map[error]int64{mdriver.ErrUnavailable: 10, artifact.ErrUnavailable: 25, orchestrator.ErrUnavailable: 40}[sentinel]
	if second >= away && second < away+4 {
		return w.now.Add(time.Second)
	}
	return time.Time{}
}

var errUnused = errors.New("the engine doesn't call this")

// simOrchestrator is a coordinator's access to the world's orchestrator.
type simOrchestrator struct{ *sim }

var _ driver.Orchestrator = simOrchestrator{}

func (o simOrchestrator) Start(_ context.Context, a driver.Attempt) error {
	_, err := faulty(o.sim, orchestrator.ErrUnavailable, func() (any, error) {
		o.checkStart(a)
		if o.waits(a) {
			return nil, fmt.Errorf("no place: %w", orchestrator.ErrQueued)
		}
		o.known[a.Name] = true
		o.world.start(a, o.fenced())
		return nil, nil
	})
	return err
}

// waits reports whether an attempt has to wait for a place, which it gets sometime unless this process dies or the
// attempt is stopped.
func (o simOrchestrator) waits(a driver.Attempt) bool {
	if o.queue[a.Name] {
		return true
	}
	if o.world.attempts[a.Name] != nil || !o.world.chance(20) {
		return false
	}
	o.queue[a.Name] = true
	o.world.after(o.world.some(10*time.Second), func() {
		if o.queue[a.Name] && !o.dead {
			delete(o.queue, a.Name)
			o.known[a.Name] = true
			o.world.start(a, o.fenced())
		}
	})
	return true
}

func (o simOrchestrator) Stop(_ context.Context, name string, _ time.Duration) error {
	_, err := faulty(o.sim, orchestrator.ErrUnavailable, func() (any, error) {
		o.checkStop(name)
		delete(o.queue, name)
		if p := o.world.attempts[name]; p != nil {
			o.world.after(o.world.some(time.Second), func() { o.world.kill(p) })
		}
		return nil, nil
	})
	return err
}

func (o simOrchestrator) Remove(_ context.Context, name string, _ bool) error {
	_, err := faulty(o.sim, orchestrator.ErrUnavailable, func() (any, error) {
		o.checkRemove(name)
		delete(o.queue, name)
		delete(o.world.attempts, name)
		return nil, nil
	})
	return err
}

func (simOrchestrator) Watch(context.Context, string, []string, driver.Events) error {
	return errUnused
}
func (simOrchestrator) Close() error { return nil }

// simMetadata is a coordinator's faulty access to the metadata store.
type simMetadata struct {
	mdriver.Store
	s *sim
}

func (m simMetadata) Commit(ctx context.Context, c mdriver.Commit) error {
	_, err := faulty(m.s, mdriver.ErrUnavailable, func() (any, error) { return nil, m.Store.Commit(ctx, c) })
	return err
}

func (m simMetadata) Events(ctx context.Context, run string, after int64) ([]mdriver.Event, error) {
	return faulty(m.s, mdriver.ErrUnavailable, func() ([]mdriver.Event, error) { return m.Store.Events(ctx, run, after) })
}

func (m simMetadata) Cached(ctx context.Context, keys []string) (map[string]mdriver.CacheEntry, error) {
	return faulty(m.s, mdriver.ErrUnavailable, func() (map[string]mdriver.CacheEntry, error) { return m.Store.Cached(ctx, keys) })
}

// simArtifacts is a coordinator's faulty access to the artifact store.
type simArtifacts struct{ *sim }

func (a simArtifacts) Put(_ context.Context, key string, data []byte) error {
	_, err := faulty(a.sim, artifact.ErrUnavailable, func() (any, error) {
		a.objects[key] = data
		return nil, nil
	})
	return err
}

func (a simArtifacts) Get(_ context.Context, key string) ([]byte, error) {
	return faulty(a.sim, artifact.ErrUnavailable, func() ([]byte, error) {
		if data := a.objects[key]; data != nil {
			return data, nil
		}
		return nil, fmt.Errorf("%s: %w", key, artifact.ErrNotFound)
	})
}

func (a simArtifacts) Exists(_ context.Context, digest string) (bool, error) {
	return faulty(a.sim, artifact.ErrUnavailable, func() (bool, error) { return !a.missing[digest], nil })
}

func (simArtifacts) Reader(context.Context, string) (io.ReadCloser, error) { return nil, errUnused }

func (simArtifacts) Manifest(context.Context, string) (step.Manifest, error) {
	return step.Manifest{}, errUnused
}

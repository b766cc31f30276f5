// Package memory is a metadata store in this process's memory, for tests and simulations.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/turn"
)

// Store is a metadata store. The zero value isn't ready; use New.
type Store struct {
	mu    sync.Mutex
	runs  map[string]*record
	names map[string]string
	cache map[string]driver.CacheEntry
	// identity is the zero value until it is asked for.
	identity driver.Identity
}

var _ driver.Store = (*Store)(nil)

// record is a run and all that belongs to it.
type record struct {
	run    driver.Run
	lease  driver.Lease
	events []driver.Event
	steps  map[string]driver.Step
}

// New returns an empty store.
func New() *Store {
	return &Store{runs: map[string]*record{}, names: map[string]string{}, cache: map[string]driver.CacheEntry{}}
}

// Close does nothing.
func (s *Store) Close() error { return nil }

// CreateRun implements driver.Writer.
func (s *Store) CreateRun(ctx context.Context, r driver.Run) error {
	if err := cmp.Or(ctx.Err(), turn.CheckRun(r)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[r.ID] != nil || s.names[r.Name] != "" {
		return fmt.Errorf("creating run %q (%s): %w", r.Name, r.ID, driver.ErrConflict)
	}
	r.CancelRequested = false
	r.Created, r.Started, r.Ended = turn.Time(r.Created), turn.Time(r.Started), turn.Time(r.Ended)
	s.runs[r.ID] = &record{run: cloneRun(r), lease: driver.Lease{Run: r.ID}, steps: map[string]driver.Step{}}
	s.names[r.Name] = r.ID
	return nil
}

// Acquire implements driver.Writer.
func (s *Store) Acquire(ctx context.Context, run, holder string, now time.Time, ttl time.Duration, force bool) (driver.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ctx, run)
	if err != nil {
		return driver.Lease{}, err
	}
	lease, granted := turn.Grant(r.lease, holder, now, ttl, force)
	if !granted {
		return lease, fmt.Errorf("taking the lease of run %s, which %q holds: %w", run, lease.Holder, driver.ErrConflict)
	}
	r.lease = lease
	lease.CancelRequested = r.run.CancelRequested
	return lease, nil
}

// Commit implements driver.Writer.
func (s *Store) Commit(ctx context.Context, c driver.Commit) error {
	if err := turn.Check(c); err != nil {
		return fmt.Errorf("committing to run %s: %w", c.Lease.Run, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ctx, c.Lease.Run)
	if err != nil {
		return err
	}
	if err := turn.Fenced(c, r.lease.Epoch); err != nil {
		return fmt.Errorf("committing to run %s: %w", c.Lease.Run, err)
	}
	var recorded []driver.Event
	if len(c.Events) > 0 {
		recorded = r.events[min(int(c.Events[0].Seq-1), len(r.events)):]
	}
	fresh, repeated, err := turn.Fresh(int64(len(r.events)), recorded, c.Events)
	if err != nil {
		return fmt.Errorf("committing to run %s: %w", c.Lease.Run, err)
	}
	if !repeated {
		s.write(r, c, fresh)
	}
	return nil
}

func (s *Store) write(r *record, c driver.Commit, fresh []driver.Event) {
	for _, e := range fresh {
		r.events = append(r.events, cloneEvent(e))
	}
	if c.Run != nil {
		r.run.Status, r.run.Started, r.run.Ended = c.Run.Status, turn.Time(c.Run.Started), turn.Time(c.Run.Ended)
	}
	for _, st := range c.Steps {
		st.Run = c.Lease.Run
		r.steps[st.Name] = cloneStep(st)
	}
	for _, e := range c.Cache {
		e.Created = turn.Time(e.Created)
		if old, ok := s.cache[e.Key]; !ok || !e.Created.Before(old.Created) {
			s.cache[e.Key] = cloneEntry(e)
		}
	}
}

// RequestCancel implements driver.Writer.
func (s *Store) RequestCancel(ctx context.Context, run string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ctx, run)
	if err != nil {
		return err
	}
	r.run.CancelRequested = true
	return nil
}

// DeleteRun implements driver.Writer.
func (s *Store) DeleteRun(ctx context.Context, run string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ctx, run)
	if err != nil {
		return err
	}
	delete(s.runs, run)
	delete(s.names, r.run.Name)
	return nil
}

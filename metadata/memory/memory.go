// Package memory is a metadata store in this process's memory, for tests and simulations.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/turn"
	"github.com/proa-ml/proa/step"
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

// find returns a run's record; the store must be locked.
func (s *Store) find(ctx context.Context, run string) (*record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, ok := s.runs[run]
	if !ok {
		return nil, fmt.Errorf("run %s: %w", run, driver.ErrNotFound)
	}
	return r, nil
}

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

// Run implements driver.Reader.
func (s *Store) Run(ctx context.Context, idOrName string) (driver.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[idOrName] == nil && s.names[idOrName] != "" {
		idOrName = s.names[idOrName]
	}
	r, err := s.find(ctx, idOrName)
	if err != nil {
		return driver.Run{}, err
	}
	return cloneRun(r.run), nil
}

// Runs implements driver.Reader.
func (s *Store) Runs(ctx context.Context, q driver.Query) ([]driver.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before *driver.Run
	if q.Before != "" {
		r, err := s.find(ctx, s.names[q.Before])
		if err != nil {
			return nil, fmt.Errorf("listing the runs before %q: %w", q.Before, err)
		}
		before = &r.run
	}
	var runs []driver.Run
	for _, r := range s.runs {
		if (q.Pipeline == "" || q.Pipeline == r.run.Pipeline) && (q.Status == "" || q.Status == r.run.Status) &&
			(before == nil || newestFirst(*before, r.run) < 0) {
			run := r.run
			run.Spec, run.Plan = nil, nil
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, newestFirst)
	return runs[:min(len(runs), turn.Limit(q))], ctx.Err()
}

// Pipelines implements driver.Reader.
func (s *Store) Pipelines(ctx context.Context) ([]driver.Pipeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := map[string]*driver.Pipeline{}
	for _, r := range s.runs {
		run := r.run
		run.Spec, run.Plan = nil, nil
		p, known := byName[run.Pipeline]
		if !known {
			p = &driver.Pipeline{Name: run.Pipeline, Last: run}
			byName[run.Pipeline] = p
		}
		p.Runs++
		if newestFirst(run, p.Last) < 0 {
			p.Last = run
		}
	}
	var all []driver.Pipeline
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all, ctx.Err()
}

func newestFirst(a, b driver.Run) int {
	return cmp.Or(b.Created.Compare(a.Created), strings.Compare(b.ID, a.ID))
}

// Steps implements driver.Reader.
func (s *Store) Steps(ctx context.Context, run string) ([]driver.Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var steps []driver.Step
	if r := s.runs[run]; r != nil {
		for _, st := range r.steps {
			steps = append(steps, cloneStep(st))
		}
	}
	slices.SortFunc(steps, func(a, b driver.Step) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), strings.Compare(a.Name, b.Name))
	})
	return steps, ctx.Err()
}

// Events implements driver.Reader.
func (s *Store) Events(ctx context.Context, run string, after int64) ([]driver.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []driver.Event
	if r := s.runs[run]; r != nil {
		for _, e := range r.events[min(int(max(after, 0)), len(r.events)):] {
			events = append(events, cloneEvent(e))
		}
	}
	return events, ctx.Err()
}

// Cached implements driver.Reader.
func (s *Store) Cached(ctx context.Context, keys []string) (map[string]driver.CacheEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]driver.CacheEntry{}
	for _, key := range keys {
		if e, ok := s.cache[key]; ok {
			found[key] = cloneEntry(e)
		}
	}
	return found, ctx.Err()
}

func cloneRun(r driver.Run) driver.Run {
	r.Spec, r.Plan = cloneRaw(r.Spec), cloneRaw(r.Plan)
	return r
}

func cloneEvent(e driver.Event) driver.Event {
	e.Time, e.Data = turn.Time(e.Time), cloneRaw(e.Data)
	return e
}

func cloneStep(st driver.Step) driver.Step {
	st.Outputs = cloneOutputs(st.Outputs)
	st.Started, st.Ended = turn.Time(st.Started), turn.Time(st.Ended)
	if st.Failure != nil {
		failure := *st.Failure
		st.Failure = &failure
	}
	return st
}

func cloneEntry(e driver.CacheEntry) driver.CacheEntry {
	e.Outputs = cloneOutputs(e.Outputs)
	return e
}

// cloneOutputs copies outputs; no outputs are nil, as they are in a database.
func cloneOutputs(outputs map[string]step.Artifact) map[string]step.Artifact {
	if len(outputs) == 0 {
		return nil
	}
	return maps.Clone(outputs)
}

// cloneRaw copies a document; an empty one is nil, as it is in a database.
func cloneRaw(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return bytes.Clone(raw)
}

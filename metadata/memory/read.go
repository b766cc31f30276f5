package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/turn"
)

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

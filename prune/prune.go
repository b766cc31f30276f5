// Package prune removes from an artifact store what nothing refers to any more: artifacts, archives of code, and what is left
// of runs that were deleted.
//
// It marks what is referred to, by the runs, the cached results and the schedules, and sweeps the rest. No lock keeps
// others from writing meanwhile; these rules make it safe all the same:
//
//   - What is younger than a grace time stays. While a run goes on that is at least [Grace], whatever was asked for.
//   - A writer that finds what it would write doesn't rely on it unless it is younger than [artifact.Lasting], which is much
//     less: it writes it again, so it is young.
//   - Outcomes and invocations of runs that go on count, also those that the metadata store doesn't know of yet.
//   - Before each batch is removed, runs that are new are marked, too, and of each object the time is looked at again.
//   - A store is pruned only with the one metadata store that knows what is in it. If others may, it is refused.
//
// Interrupted, it has removed a part; the next time it goes on.
package prune

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
)

// Grace is the time for which what is unused stays unless something else is asked for, and in any case while a run goes on.
const Grace = 4 * artifact.Lasting

// Options say what is removed.
type Options struct {
	// OlderThan is the age from which on something unused is removed.
	OlderThan time.Duration
	// Remove says that it really is; otherwise it is only counted.
	Remove bool
	// Cached gives up cached results of runs that were deleted.
	Cached bool
	// Disowned gives up what only metadata stores know of that the artifact store belonged to before, or was used with.
	Disowned bool
	// Now is the clock.
	Now func() time.Time
	// Batch is how many objects are removed between two looks at the metadata store; 0 means 500.
	Batch int
}

// Amount is a number of objects, and their bytes.
type Amount struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (a *Amount) add(bytes int64) {
	a.Objects++
	a.Bytes += bytes
}

// Report says what is unused, and was removed if it was to be; and what stays.
type Report struct {
	Removed bool `json:"removed"`
	// Artifacts, Code and Runs are unused: files of artifacts, archives of code, and what is left of runs that are deleted.
	// Partial are files of writers that were killed.
	Artifacts Amount `json:"artifacts"`
	Code      Amount `json:"code"`
	Runs      Amount `json:"runs"`
	Partial   Amount `json:"partial"`
	// Results is how many cached results of deleted runs are given up.
	Results int `json:"results"`
	// Used stays because something refers to it. Cached is the part of it that only cached results of deleted runs do.
	Used   Amount `json:"used"`
	Cached Amount `json:"cached"`
	// Young is unused and stays because it is too young.
	Young Amount `json:"young"`
	// Unknown was not made by proa, or by a newer one.
	Unknown Amount `json:"unknown"`
	// Active names runs that go on.
	Active []string `json:"active"`
	// Grace is the age in seconds from which on something was removed.
	Grace float64 `json:"graceSeconds"`
}

// Unused is the sum of what is unused and not too young.
func (r Report) Unused() Amount {
	sum := Amount{}
	for _, a := range []Amount{r.Artifacts, r.Code, r.Runs, r.Partial} {
		sum.Objects += a.Objects
		sum.Bytes += a.Bytes
	}
	return sum
}

// UnknownError means that it can't be known what in a store is used.
type UnknownError struct {
	// Foreign says that the store belongs to another metadata store, Free that it belongs to none. Others is how many other
	// metadata stores know of something in it.
	Foreign, Free bool
	Others        int
}

func (e *UnknownError) Error() string {
	switch {
	case e.Foreign:
		return "the artifact store belongs to another metadata store, which knows what is in it"
	case e.Free:
		return "the artifact store belongs to no metadata store that would know what in it is used"
	}
	if e.Others == 1 {
		return "another metadata store has been used with the artifact store, too, and may refer to what is in it"
	}
	return fmt.Sprintf("%d other metadata stores have been used with the artifact store, too, and may refer to what is in it", e.Others)
}

// Prune finds what is unused in an artifact store, and removes it if opts say so.
func Prune(ctx context.Context, artifacts *artifact.Store, metadata driver.Store, opts Options) (Report, error) {
	others, err := alone(ctx, artifacts, metadata, opts.Disowned)
	if err != nil {
		return Report{}, err
	}
	if opts.Batch <= 0 {
		opts.Batch = 500
	}
	p := &pruner{artifacts: artifacts, metadata: metadata, opts: opts, marks: newMarks(), now: opts.Now()}
	if opts.Cached {
		if err := p.forget(ctx); err != nil {
			return p.report, fmt.Errorf("giving up cached results: %w", err)
		}
	}
	if err := p.mark(ctx); err != nil {
		return p.report, fmt.Errorf("finding out what is used: %w", err)
	}
	if err := p.sweep(ctx); err != nil {
		return p.report, fmt.Errorf("removing what is unused: %w", err)
	}
	p.finish()
	if opts.Remove {
		for _, id := range others {
			if err := artifacts.Unshare(ctx, id); err != nil {
				return p.report, err
			}
		}
	}
	return p.report, nil
}

// pruner is one call of Prune.
type pruner struct {
	artifacts *artifact.Store
	metadata  driver.Store
	opts      Options
	now       time.Time
	marks     *marks
	report    Report
	// forgotten are the results that are given up.
	forgotten []driver.CacheEntry
}

func (p *pruner) finish() {
	p.report.Removed = p.opts.Remove
	p.report.Active = p.marks.activeNames()
	p.report.Grace = p.now.Sub(p.limit()).Seconds()
}

// limit is the time before which something must have been written to be removed.
func (p *pruner) limit() time.Time {
	grace := p.opts.OlderThan
	if p.marks.busy() {
		grace = max(grace, Grace)
	}
	return p.now.Add(-grace)
}

// alone makes sure that the metadata store alone knows what is in the artifact store. It returns the others that did once.
func alone(ctx context.Context, artifacts *artifact.Store, metadata driver.Identifier, disowned bool) ([]string, error) {
	a, err := artifacts.Identity(ctx, "")
	if err != nil {
		return nil, err
	}
	m, err := metadata.Identity(ctx, "")
	switch {
	case err != nil:
		return nil, err
	case a.Metadata == "" || m.ID == "":
		return nil, &UnknownError{Free: true}
	case a.Metadata != m.ID, m.Artifacts != a.ID:
		return nil, &UnknownError{Foreign: true}
	}
	sharers, err := artifacts.Sharers(ctx)
	var others []string
	for _, id := range sharers {
		if id != m.ID {
			others = append(others, id)
		}
	}
	if err == nil && len(others) > 0 && !disowned {
		err = &UnknownError{Others: len(others)}
	}
	return others, err
}

// forget gives up old results of runs that don't exist.
func (p *pruner) forget(ctx context.Context) error {
	return p.eachResult(ctx, func(page []driver.CacheEntry) error {
		var keys []string
		for _, e := range page {
			_, err := p.metadata.Run(ctx, e.Run)
			switch {
			case err == nil || e.Created.After(p.now.Add(-p.opts.OlderThan)):
			case errors.Is(err, driver.ErrNotFound):
				keys = append(keys, e.Key)
				p.forgotten = append(p.forgotten, e)
			default:
				return err
			}
		}
		p.report.Results += len(keys)
		if !p.opts.Remove || len(keys) == 0 {
			return nil
		}
		return p.metadata.DeleteCached(ctx, keys)
	})
}

// eachResult passes on all that is cached, page by page.
func (p *pruner) eachResult(ctx context.Context, visit func([]driver.CacheEntry) error) error {
	for after := ""; ; {
		page, err := p.metadata.Cache(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := visit(page); err != nil {
			return err
		}
		after = page[len(page)-1].Key
	}
}

// pageSize is how many rows are read at once.
const pageSize = 200

// cut returns what follows a prefix and precedes a suffix.
func cut(text, prefix, suffix string) (string, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, suffix)
}

package prune

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/artifact"
)

// removers is how many objects are removed at once.
const removers = 16

// sweep goes through the store and removes, in batches, what isn't marked and isn't too young.
func (p *pruner) sweep(ctx context.Context) error {
	batch := make([]artifact.Object, 0, p.opts.Batch)
	err := p.artifacts.Walk(ctx, "", func(o artifact.Object) error {
		if !p.judge(o) {
			return nil
		}
		batch = append(batch, o)
		if len(batch) < p.opts.Batch {
			return nil
		}
		err := p.remove(ctx, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return p.remove(ctx, batch)
}

// judge reports whether an object is to go, and counts it if not.
func (p *pruner) judge(o artifact.Object) bool {
	kind, because := p.marks.classify(o.Key, o.Partial)
	switch {
	case kind == unknown:
		p.report.Unknown.add(o.Size)
	case because != 0:
		p.report.Used.add(o.Size)
		if because == byResult {
			p.report.Cached.add(o.Size)
		}
	case o.Modified.After(p.limit()):
		p.report.Young.add(o.Size)
	default:
		return true
	}
	return false
}

// remove removes objects unless something has begun to need them.
func (p *pruner) remove(ctx context.Context, batch []artifact.Object) error {
	if len(batch) == 0 {
		return nil
	}
	if p.opts.Remove {
		if err := p.again(ctx); err != nil {
			return err
		}
	}
	due := slices.DeleteFunc(batch, func(o artifact.Object) bool { return !p.judge(o) })
	var mu sync.Mutex
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(removers)
	for _, o := range due {
		group.Go(func() error {
			gone := true
			var err error
			if p.opts.Remove {
				gone, err = p.artifacts.DeleteOld(gctx, o, p.limit())
			}
			if err == nil && gone {
				mu.Lock()
				defer mu.Unlock()
				p.count(o)
			}
			return err
		})
	}
	return group.Wait()
}

// count counts an object that is unused.
func (p *pruner) count(o artifact.Object) {
	switch kind, _ := p.marks.classify(o.Key, o.Partial); kind {
	case archive:
		p.report.Code.add(o.Size)
	case ofRun:
		p.report.Runs.add(o.Size)
	case remains:
		p.report.Partial.add(o.Size)
	default:
		p.report.Artifacts.add(o.Size)
	}
}

// activeIDs are the runs that go on.
func (m *marks) activeIDs() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.active)
}

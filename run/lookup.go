package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	mdriver "github.com/proa-ml/proa/metadata/driver"
)

// lookUp asks for the results of equal steps, and keeps those whose outputs are all still there.
func (c *coordinator) lookUp(ctx context.Context, e lookUp) (observation, error) {
	answer := cacheAnswered{asked: e.keys, hits: map[string]mdriver.CacheEntry{}}
	known, err := c.parts.Metadata.Cached(ctx, slices.Sorted(maps.Values(e.keys)))
	if err != nil {
		return c.missAll(ctx, answer, err)
	}
	var mu sync.Mutex
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(c.parts.readers)
	for _, name := range slices.Sorted(maps.Keys(e.keys)) {
		hit, ok := known[e.keys[name]]
		if !ok {
			continue
		}
		group.Go(func() error {
			whole, err := c.whole(gctx, hit)
			if err != nil && !retriable(gctx, err) {
				c.parts.notice(fmt.Sprintf("the cached result of step %s can't be read, so the step runs: %v", name, err))
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if whole {
				answer.hits[name] = hit
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return c.missAll(ctx, answer, err)
	}
	return answer, nil
}

// missAll lets steps run whose cache can't be read for good.
func (c *coordinator) missAll(ctx context.Context, answer cacheAnswered, err error) (observation, error) {
	err = fmt.Errorf("looking up cached results: %w", err)
	if retriable(ctx, err) {
		return nil, err
	}
	c.parts.notice(err.Error() + "; running the steps instead")
	clear(answer.hits)
	return answer, nil
}

// whole reports whether all outputs of a result are still in the artifact store.
func (c *coordinator) whole(ctx context.Context, hit mdriver.CacheEntry) (bool, error) {
	for _, a := range hit.Outputs {
		if there, err := c.parts.Artifacts.Exists(ctx, a.Digest); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

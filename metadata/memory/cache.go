package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/proa-ml/proa/metadata/driver"
)

// Cache implements driver.Cacher.
func (s *Store) Cache(ctx context.Context, after string, limit int) ([]driver.CacheEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []driver.CacheEntry
	for _, key := range slices.Sorted(maps.Keys(s.cache)) {
		if key > after && len(entries) < limit {
			entries = append(entries, cloneEntry(s.cache[key]))
		}
	}
	return entries, ctx.Err()
}

// DeleteCached implements driver.Cacher.
func (s *Store) DeleteCached(ctx context.Context, keys []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.cache, key)
	}
	return nil
}

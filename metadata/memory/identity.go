package memory

import (
	"context"
	"fmt"

	"github.com/proa-ml/proa/metadata/driver"
)

// Identity implements driver.Identifier.
func (s *Store) Identity(ctx context.Context, proposed string) (driver.Identity, error) {
	if err := ctx.Err(); err != nil {
		return driver.Identity{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.identity.ID == "" {
		s.identity.ID = proposed
	}
	return s.identity, nil
}

// Pair implements driver.Identifier.
func (s *Store) Pair(ctx context.Context, from, to string) (driver.Identity, error) {
	if err := ctx.Err(); err != nil {
		return driver.Identity{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.identity.ID == "" {
		return driver.Identity{}, fmt.Errorf("pairing the metadata store with an artifact store: %w", driver.ErrNotFound)
	}
	if s.identity.Artifacts == from {
		s.identity.Artifacts = to
	}
	return s.identity, nil
}

package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Keys of what a store says of itself. The names are not those of anything that a run stores.
const (
	identityKey = "identity.json"
	pairKey     = "metadata-store.json"
	sharePrefix = "metadata-stores/"
)

// Identity is who an artifact store is, and which metadata store knows what is in it.
type Identity struct {
	// ID is random; empty if the store has none yet.
	ID string
	// Metadata is the identity of the metadata store; empty until there is one.
	Metadata string
}

// mark is what is stored under the keys above.
type mark struct {
	ID string `json:"id"`
}

// Identity returns the store's identity. A store that has none takes the proposed ID, and of several proposals at once
// exactly one; where none is proposed it stays without.
func (s *Store) Identity(ctx context.Context, proposed string) (Identity, error) {
	id, err := s.mark(ctx, identityKey, proposed)
	if err != nil {
		return Identity{}, fmt.Errorf("reading the artifact store's identity: %w", err)
	}
	metadata, err := s.mark(ctx, pairKey, "")
	if err != nil {
		return Identity{}, fmt.Errorf("reading which metadata store the artifact store belongs to: %w", err)
	}
	return Identity{ID: id, Metadata: metadata}, nil
}

// Pair makes a store that belongs to no metadata store belong to this one, and returns to which it belongs now.
func (s *Store) Pair(ctx context.Context, metadata string) (string, error) {
	belongs, err := s.mark(ctx, pairKey, metadata)
	if err != nil {
		return "", fmt.Errorf("pairing the artifact store with a metadata store: %w", err)
	}
	return belongs, nil
}

// Unpair makes the store belong to no metadata store. That the one it belonged to knows of something in it stays noted.
func (s *Store) Unpair(ctx context.Context) error {
	former, err := s.mark(ctx, pairKey, "")
	if err == nil && former != "" {
		err = s.Share(ctx, former)
	}
	if err == nil {
		err = s.Delete(ctx, pairKey)
	}
	if err != nil {
		return fmt.Errorf("taking the artifact store from its metadata store: %w", err)
	}
	return nil
}

// Share notes that a metadata store knows of something in this one, whether the two belong together or not.
func (s *Store) Share(ctx context.Context, metadata string) error {
	if _, err := s.mark(ctx, sharePrefix+metadata+".json", metadata); err != nil {
		return fmt.Errorf("noting which metadata store uses the artifact store: %w", err)
	}
	return nil
}

// Sharers returns the metadata stores that were noted.
func (s *Store) Sharers(ctx context.Context) ([]string, error) {
	keys, err := s.List(ctx, sharePrefix)
	if err != nil {
		return nil, fmt.Errorf("reading which metadata stores use the artifact store: %w", err)
	}
	var all []string
	for _, key := range keys {
		id, err := s.mark(ctx, key, "")
		if err != nil {
			return nil, fmt.Errorf("reading which metadata stores use the artifact store: %w", err)
		}
		all = append(all, id)
	}
	return all, nil
}

// Unshare forgets a metadata store that was noted.
func (s *Store) Unshare(ctx context.Context, metadata string) error {
	return s.Delete(ctx, sharePrefix+metadata+".json")
}

// mark returns the id under a key; if there is none, and one is proposed, the first proposal counts.
func (s *Store) mark(ctx context.Context, key, proposed string) (string, error) {
	data, err := s.Get(ctx, key)
	if errors.Is(err, ErrNotFound) && proposed != "" {
		if data, err = json.Marshal(mark{ID: proposed}); err != nil {
			return "", fmt.Errorf("encoding an id: %w", err)
		}
		if _, err := s.PutNew(ctx, key, data); err != nil {
			return "", err
		}
		data, err = s.Get(ctx, key)
	}
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var m mark
	if err := json.Unmarshal(data, &m); err != nil || m.ID == "" {
		return "", fmt.Errorf("%q in %s holds no id: %w", key, s.place, ErrCorrupt)
	}
	return m.ID, nil
}

// Package artifact keeps bytes in an object store: single objects under a key, and artifacts, which are folders that a
// step saved.
//
// An artifact is a manifest (package step), stored as a blob whose key is the digest of its content, after all the blobs
// that it names. So equal folders are stored once, what is there already isn't uploaded again, everything that is read is
// checked against its digest, and a half-written artifact can't be seen: its manifest isn't there.
//
// A store is a folder ("file:///path"), any S3 ("s3://bucket/prefix"), Google Cloud Storage ("gs://bucket/prefix"), Azure Blob
// Storage ("az://container/prefix"), or memory, for tests ("mem://").
package artifact

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"

	"github.com/proa-ml/proa/step"
)

// Store is an open artifact store. Its methods may be called from several goroutines.
type Store struct {
	bucket *blob.Bucket
	// root is the folder of a file store, and empty for others.
	root string
	// place names the store in errors, without secrets.
	place string
	// advice is what to do about errors.
	advice advice
	// writer tells this store's conditional writes from those of others; see PutNew.
	writer   string
	parallel int
	now      func() time.Time
	// probes counts the calls of Check.
	probes atomic.Int64
}

// Options tune a store. The zero value is good.
type Options struct {
	// Parallel is how many files are transferred at once; 0 means 8.
	Parallel int
	// Random is the source of names that must not collide; nil means the system's.
	Random io.Reader
	// Now is the clock; nil means the machine's.
	Now func() time.Time
}

// Open opens the store that cfg describes. It doesn't talk to the store yet; Check does.
func Open(ctx context.Context, cfg step.Store, opts *Options) (*Store, error) {
	if opts == nil {
		opts = &Options{}
	}
	s := &Store{parallel: opts.Parallel, now: opts.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if s.parallel <= 0 {
		s.parallel = 8
	}
	random := opts.Random
	if random == nil {
		random = rand.Reader
	}
	var id [16]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return nil, fmt.Errorf("opening the artifact store: reading random bytes: %w", err)
	}
	s.writer = hex.EncodeToString(id[:])
	if err := s.open(ctx, cfg); err != nil {
		return nil, fmt.Errorf("opening the artifact store: %w", err)
	}
	return s, nil
}

// Close frees what the store holds.
func (s *Store) Close() error {
	if err := s.bucket.Close(); err != nil {
		return fmt.Errorf("closing the artifact store: %w", err)
	}
	return nil
}

// String names the store, without secrets.
func (s *Store) String() string { return s.place }

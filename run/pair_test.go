package run_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

func newArtifacts(t *testing.T) *artifact.Store {
	t.Helper()
	s, err := artifact.Open(t.Context(), step.Store{URL: "mem://"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPair(t *testing.T) {
	artifacts, others := newArtifacts(t), newArtifacts(t)
	metadata, elsewhere := memory.New(), memory.New()
	pair := func(a *artifact.Store, m *memory.Store) error { return run.Pair(t.Context(), a, m, rand.Reader) }
	for _, c := range []struct {
		what                string
		do                  func() error
		artifacts, metadata bool
	}{
		{"a look at new stores", func() error { return run.CheckPair(t.Context(), artifacts, metadata) }, false, false},
		{"the first use", func() error { return pair(artifacts, metadata) }, false, false},
		{"the second use", func() error { return pair(artifacts, metadata) }, false, false},
		{"new artifacts for old metadata", func() error { return pair(others, metadata) }, false, true},
		{"old artifacts for new metadata", func() error { return pair(artifacts, elsewhere) }, true, false},
		{"a refusal leaves the new ones free", func() error { return pair(others, elsewhere) }, false, false},
		{"two pairs crossed", func() error { return pair(artifacts, elsewhere) }, true, true},
		{"a look at them", func() error { return run.CheckPair(t.Context(), others, metadata) }, true, true},
		{"decoupling", func() error { return run.Unpair(t.Context(), others, metadata) }, false, false},
		{"then they are paired", func() error { return pair(others, metadata) }, false, false},
		{"and their old partners are foreign", func() error { return pair(artifacts, metadata) }, false, true},
		{"on both sides", func() error { return pair(others, elsewhere) }, true, false},
		{"decoupling again", func() error { return run.Unpair(t.Context(), others, metadata) }, false, false},
		{"and once more", func() error { return run.Unpair(t.Context(), others, metadata) }, false, false},
	} {
		err := c.do()
		var foreign *run.ForeignError
		if got := errors.As(err, &foreign); got != (c.artifacts || c.metadata) || (err != nil && !got) {
			t.Fatalf("%s: got %v", c.what, err)
		}
		if foreign != nil && (foreign.Artifacts != c.artifacts || foreign.Metadata != c.metadata) {
			t.Errorf("%s: got %+v", c.what, foreign)
		}
	}
}

// TestPairRace has runs on one artifact store and several metadata stores begin at once: one pair comes of it.
func TestPairRace(t *testing.T) {
	for range 50 {
		artifacts := newArtifacts(t)
		var paired atomic.Int64
		var group sync.WaitGroup
		for range 4 {
			metadata := memory.New()
			group.Go(func() {
				err := run.Pair(t.Context(), artifacts, metadata, rand.Reader)
				var foreign *run.ForeignError
				switch {
				case err == nil:
					paired.Add(1)
				case !errors.As(err, &foreign):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if paired.Load() != 1 {
			t.Fatalf("%d metadata stores got the artifact store, want 1", paired.Load())
		}
	}
}

func TestPairCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	metadata := memory.New()
	if err := run.Pair(ctx, newArtifacts(t), metadata, rand.Reader); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if id, err := metadata.Identity(t.Context(), ""); err != nil || id.ID != "" {
		t.Errorf("got %+v, error %v, want no identity", id, err)
	}
}

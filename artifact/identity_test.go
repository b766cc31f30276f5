package artifact_test

import (
	"errors"
	"testing"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

func testIdentity(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	for _, c := range []struct{ proposed, want string }{{"", ""}, {"first", "first"}, {"second", "first"}, {"", "first"}} {
		got, err := s.Identity(t.Context(), c.proposed)
		if err != nil || got != (artifact.Identity{ID: c.want}) {
			t.Errorf("proposing %q: got %+v, error %v; want %q", c.proposed, got, err, c.want)
		}
	}
	for _, c := range []struct{ propose, want string }{{"metadata", "metadata"}, {"other", "metadata"}} {
		got, err := s.Pair(t.Context(), c.propose)
		if err != nil || got != c.want {
			t.Errorf("pairing with %q: got %q, error %v; want %q", c.propose, got, err, c.want)
		}
	}
	if got, err := openStore(t, cfg).Identity(t.Context(), "x"); err != nil || got != (artifact.Identity{ID: "first", Metadata: "metadata"}) {
		t.Errorf("opened again: got %+v, error %v", got, err)
	}
	for range 2 {
		if err := s.Unpair(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got, err := s.Pair(t.Context(), "other"); err != nil || got != "other" {
		t.Errorf("pairing anew: got %q, error %v", got, err)
	}
	put(t, s, "identity.json", "half a")
	if _, err := s.Identity(t.Context(), "x"); !errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("a damaged identity: got %v, want ErrCorrupt", err)
	}
}

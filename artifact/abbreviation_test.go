package artifact_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

func testAbbreviations(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "value"), make([]byte, 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	saved, err := s.Save(t.Context(), dir, "bytes", "m", "")
	if err != nil {
		t.Fatal(err)
	}
	digits := saved.Digest[len("sha256:"):]
	other := "0000"
	if digits[:4] == other {
		other = "ffff"
	}
	for abbreviation, want := range map[string]error{
		saved.Digest: nil, digits: nil, digits[:4]: nil, saved.Digest[:20]: nil,
		other: artifact.ErrNotFound, digits[:3]: artifact.ErrNoDigest, "sha256:": artifact.ErrNoDigest, "1g2h": artifact.ErrNoDigest, digits + "0": artifact.ErrNoDigest,
	} {
		got, err := s.Complete(t.Context(), abbreviation)
		if !errors.Is(err, want) || err == nil && got != saved.Digest {
			t.Errorf("%s: got %s, %v; want %v", abbreviation, got, err, want)
		}
	}
	// What only begins like the artifact, and is none, is not in its way.
	put(t, s, "blobs/sha256/"+digits[:2]+"/"+digits[:4]+digits[4:62]+"00", "x")
	if got, err := s.Complete(t.Context(), digits[:4]); err != nil || got != saved.Digest {
		t.Errorf("beside a blob: got %s, %v", got, err)
	}
}

package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMakeKeepsOnlyWhatIsWhole(t *testing.T) {
	cache := Cache{Dir: filepath.Join(t.TempDir(), "cache"), Say: func(string, ...any) {}, Now: time.Now}
	broken := errors.New("broken")
	half := func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), broken)
	}
	if _, err := cache.make(t.Context(), "thing", "1", "", half); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	made := 0
	whole := func(_ context.Context, dir string) error {
		made++
		return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600)
	}
	for range 2 {
		dir, err := cache.make(t.Context(), "thing", "1", "", whole)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != "whole" {
			t.Errorf("got %v, %v", entries, err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

func TestPruneKeepsThree(t *testing.T) {
	cache := Cache{Dir: t.TempDir(), Say: func(string, ...any) {}, Now: time.Now}
	nothing := func(context.Context, string) error { return nil }
	for _, key := range []string{"1", "2", "3", "4", "5"} {
		if _, err := cache.make(t.Context(), "thing", key, "", nothing); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(cache.Dir, "thing-*")); err != nil || len(left) != 3 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestKeyKnowsWhereTextsEnd(t *testing.T) {
	if Key("ab", "c") == Key("a", "bc") {
		t.Error("two lists of texts have one key")
	}
}

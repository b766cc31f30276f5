package artifact_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

func testWalk(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	begin := time.Now().Add(-time.Hour) // a server's clock may differ
	odd := `é "<b>" __ a__0 =+&?*|`
	for _, key := range []string{"a/1", "a/2/x", "b", "c/" + odd} {
		put(t, s, key, key)
	}
	objects := map[string]artifact.Object{}
	for prefix, want := range map[string][]string{"a/": {"a/1", "a/2/x"}, "": {"a/1", "a/2/x", "b", "c/" + odd}, "c/é": {"c/" + odd}, "d": nil, "d/e/": nil} {
		var keys []string
		err := s.Walk(t.Context(), prefix, func(o artifact.Object) error {
			keys, objects[o.Key] = append(keys, o.Key), o
			return nil
		})
		if err != nil || !slices.Equal(keys, want) {
			t.Errorf("walking through %q: %q, error %v", prefix, keys, err)
		}
	}
	for key, o := range objects {
		if o.Size != int64(len(key)) || o.Modified.Before(begin) || o.Modified.After(begin.Add(2*time.Hour)) || o.Partial {
			t.Errorf("%s is listed as %+v", key, o)
		}
	}
	limits := []struct {
		limit time.Time
		gone  bool
	}{{begin, false}, {begin.Add(2 * time.Hour), true}, {begin.Add(2 * time.Hour), false}} // the third time it isn't there
	for _, c := range limits {
		if gone, err := s.DeleteOld(t.Context(), objects["a/1"], c.limit); err != nil || gone != c.gone {
			t.Errorf("deleting what is older than %v: %v, error %v", c.limit, gone, err)
		}
	}
	keys, err := s.List(t.Context(), "")
	if err != nil || !slices.Equal(keys, []string{"a/2/x", "b", "c/" + odd}) {
		t.Errorf("left are %q, error %v", keys, err)
	}
	stop := fmt.Errorf("enough")
	if err := s.Walk(t.Context(), "", func(artifact.Object) error { return stop }); err != stop { //nolint:errorlint // this very one
		t.Errorf("stopped, walking says %v", err)
	}
}

// TestHalfWrittenFile has a file that a writer left when it was killed.
func TestHalfWrittenFile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, step.Store{URL: artifact.FileURL(dir)})
	path := filepath.Join(dir, "new-1.tmp")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.Walk(t.Context(), "", func(o artifact.Object) error {
		if !o.Partial {
			t.Errorf("it is listed as %+v", o)
		}
		for _, limit := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)} {
			gone, err := s.DeleteOld(t.Context(), o, limit)
			if err != nil || gone != limit.After(time.Now()) {
				t.Errorf("deleting it: %v, error %v", gone, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestOldIsWrittenAgain saves what a store has had for a long time, as who removes unused objects may be about to do.
func TestOldIsWrittenAgain(t *testing.T) {
	server := startS3(t)
	dir := makeFolder(t)
	save(t, server.open(t), dir)
	first := server.count("PUT ")
	late, err := artifact.Open(t.Context(), server.config("some/prefix"), &artifact.Options{Now: func() time.Time { return time.Now().Add(2 * artifact.Lasting) }})
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close() // a test's
	save(t, late, dir)
	if again := server.count("PUT "); again != first {
		t.Errorf("%d objects were written first and %d again", first, again)
	}
}

package artifact_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// memories are the stores of TestMemory by their URLs: what one store in memory holds, another can't see.
var memories sync.Map

func openStore(t *testing.T, cfg step.Store) *artifact.Store {
	t.Helper()
	if open, ok := memories.Load(cfg.URL); ok {
		return open.(*artifact.Store) // stored by TestMemory
	}
	store, err := artifact.Open(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestFile(t *testing.T) {
	conformance(t, func(t *testing.T) step.Store {
		return step.Store{URL: artifact.FileURL(filepath.Join(t.TempDir(), "a folder? é#%20", "store"))}
	})
}

func TestMemory(t *testing.T) {
	conformance(t, func(t *testing.T) step.Store {
		cfg := step.Store{URL: "mem://" + rand.Text()}
		memories.Store(cfg.URL, openStore(t, cfg))
		return cfg
	})
}

func TestSmallS3(t *testing.T) {
	conformance(t, func(t *testing.T) step.Store { return startS3(t).config("a/prefix") })
}

// TestRealS3 needs a server and a bucket, which the environment names.
func TestRealS3(t *testing.T) {
	env := environment(t, "PROA_TEST_S3_ENDPOINT", "PROA_TEST_S3_BUCKET", "PROA_TEST_S3_REGION", "PROA_TEST_S3_KEY", "PROA_TEST_S3_SECRET")
	fresh := func(*testing.T) step.Store {
		return step.Store{URL: "s3://" + env[1] + "/artifact-test/" + rand.Text(), Options: map[string]string{
			"endpoint": env[0], "region": env[2], "key": env[3], "secret": env[4], "path_style": "true",
		}}
	}
	conformance(t, fresh)
	testRefusals(t, fresh(t), map[string]refusal{
		"another secret": {func(cfg *step.Store) { cfg.Options["secret"] = "wrong" }, artifact.ErrDenied, "check the store's key and secret"},
		"another key":    {func(cfg *step.Store) { cfg.Options["key"] = "wrong" }, artifact.ErrDenied, "check the store's key and secret"},
		"no bucket":      {func(cfg *step.Store) { cfg.URL = "s3://no-such-bucket-" + strings.ToLower(rand.Text()) }, artifact.ErrNoBucket, "create the bucket"},
	})
}

// conformance tests a kind of store; fresh makes an empty one.
func conformance(t *testing.T, fresh func(t *testing.T) step.Store) {
	for name, test := range map[string]func(t *testing.T, cfg step.Store){
		"objects": testObjects, "put file": testPutFile, "streams": testStreams, "put new": testPutNew, "put new race": testPutNewRace, "list": testList, "abbreviations": testAbbreviations,
		"keys": testKeys, "folders": testFolders, "damage": testDamage, "exists": testExists, "check": testCheck, "big file": testBigFile,
		"cancelled": testCancelled, "identity": testIdentity, "walk": testWalk,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fresh(t)
			t.Cleanup(func() { clear(t, cfg) })
			test(t, cfg)
		})
	}
}

// clear removes what a test left in a store.
func clear(t *testing.T, cfg step.Store) {
	store, err := artifact.Open(context.WithoutCancel(t.Context()), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() // a test's
	ctx := context.WithoutCancel(t.Context())
	keys, err := store.List(ctx, "")
	if err != nil {
		return // a server of the test's own is gone by now
	}
	for _, key := range keys {
		if err := store.Delete(ctx, key); err != nil {
			t.Error(err)
		}
	}
}

func put(t *testing.T, s *artifact.Store, key, data string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func wantObject(t *testing.T, s *artifact.Store, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %.60q, error %v; want %.60q", key, got, err, want)
	}
}

func testObjects(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	if _, err := s.Get(t.Context(), "a/missing"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a missing object: got %v, want ErrNotFound", err)
	}
	for _, content := range []string{"first", "", "second, longer"} {
		put(t, s, "a/b c é=+&", content)
		wantObject(t, openStore(t, cfg), "a/b c é=+&", content)
	}
	for range 2 {
		if err := s.Delete(t.Context(), "a/b c é=+&"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Reader(t.Context(), "a/b c é=+&"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a deleted object: got %v, want ErrNotFound", err)
	}
}

func testPutFile(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	file := filepath.Join(t.TempDir(), "f")
	for _, content := range []string{"first", "other"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.PutFile(t.Context(), "code/f", file); err != nil {
			t.Fatal(err)
		}
		wantObject(t, s, "code/f", "first") // what is there with that size isn't written again
	}
	if err := os.WriteFile(file, []byte("longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.PutFile(t.Context(), "code/f", file); err != nil {
		t.Fatal(err)
	}
	wantObject(t, s, "code/f", "longer")
	if err := s.PutFile(t.Context(), "code/f", file+".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("storing a missing file: %v", err)
	}
}

func testStreams(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	content := strings.Repeat("a line of a log\n", 10_000)
	if err := s.PutStream(t.Context(), "log", iotest.HalfReader(strings.NewReader(content))); err != nil {
		t.Fatal(err)
	}
	wantObject(t, s, "log", content)
	broken := errors.New("the pipe broke")
	err := s.PutStream(t.Context(), "broken", io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || artifact.Transient(err) {
		t.Errorf("a stream that fails: got %v", err)
	}
	if _, err := s.Get(t.Context(), "broken"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("half an object: got %v, want ErrNotFound", err)
	}
}

func testPutNew(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	for i, want := range []bool{true, false, false} {
		created, err := s.PutNew(t.Context(), "runs/1/outcome", fmt.Append(nil, i))
		if err != nil || created != want {
			t.Errorf("call %d: created is %v, error %v; want %v", i, created, err, want)
		}
	}
	another := openStore(t, cfg)
	if created, err := another.PutNew(t.Context(), "runs/1/outcome", []byte("0")); another != s && (err != nil || created) {
		t.Errorf("from another store, with equal data: created is %v, error %v", created, err)
	}
	wantObject(t, s, "runs/1/outcome", "0")
	put(t, s, "put", "x")
	if created, err := s.PutNew(t.Context(), "put", []byte("y")); err != nil || created {
		t.Errorf("over an object made with Put: created is %v, error %v", created, err)
	}
}

func testPutNewRace(t *testing.T, cfg step.Store) {
	stores := []*artifact.Store{openStore(t, cfg), openStore(t, cfg), openStore(t, cfg)}
	for round := range 5 {
		key := fmt.Sprint("race/", round)
		var winners atomic.Int64
		var winner atomic.Value
		var group sync.WaitGroup
		start := make(chan struct{})
		for i := range 12 {
			group.Go(func() {
				<-start
				data := fmt.Sprint("writer ", i)
				created, err := stores[i%3].PutNew(t.Context(), key, []byte(data))
				if err != nil {
					t.Error(err)
				}
				if created {
					winners.Add(1)
					winner.Store(data)
				}
			})
		}
		close(start)
		group.Wait()
		if winners.Load() != 1 {
			t.Fatalf("%d winners, want 1", winners.Load())
		}
		wantObject(t, stores[0], key, winner.Load().(string)) // stored above
	}
}

func testList(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	for _, key := range []string{"a/1", "a/2/x", "ab", "b/1"} {
		put(t, s, key, "x")
	}
	for prefix, want := range map[string][]string{"": {"a/1", "a/2/x", "ab", "b/1"}, "a": {"a/1", "a/2/x", "ab"}, "a/": {"a/1", "a/2/x"}, "c": nil} {
		got, err := s.List(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("listing %q: got %q, error %v; want %q", prefix, got, err, want)
		}
	}
}

func testKeys(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/../../b", ".", "a/./b", "a\x00", "a\nb", `a\b`, "\xff", strings.Repeat("k", 1001)} {
		_, get := s.Get(t.Context(), key)
		_, putNew := s.PutNew(t.Context(), key, nil)
		for what, err := range map[string]error{"Get": get, "PutNew": putNew, "Put": s.Put(t.Context(), key, nil), "Delete": s.Delete(t.Context(), key)} {
			if err == nil || errors.Is(err, artifact.ErrNotFound) {
				t.Errorf("%s with key %q: got %v", what, key, err)
			}
		}
	}
}

func testCheck(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	for range 2 {
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if keys, err := s.List(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("Check left %q, error %v", keys, err)
	}
}

// testBigFile has files that S3 takes in parts.
func testBigFile(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	dir := t.TempDir()
	data := make([]byte, 20<<20+7)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	a := save(t, s, dir)
	target := filepath.Join(t.TempDir(), "target")
	if _, err := s.Fetch(t.Context(), a.Digest, target); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(target, "big"))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("the big file came back changed, error %v", err)
	}
}

func testCancelled(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	a := save(t, s, makeFolder(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	_, fetch := s.Fetch(ctx, a.Digest, filepath.Join(parent, "target"))
	_, saved := s.Save(ctx, makeFolder(t), "t", "m", "")
	for what, err := range map[string]error{"Put": s.Put(ctx, "k", []byte("x")), "Fetch": fetch, "Save": saved} {
		if !errors.Is(err, context.Canceled) || artifact.Transient(err) {
			t.Errorf("%s with a cancelled context: got %v", what, err)
		}
	}
	onlyEntries(t, parent)
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a cancelled Put: got %v, want ErrNotFound", err)
	}
}

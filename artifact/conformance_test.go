package artifact_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

func openStore(t *testing.T, cfg step.Store) *artifact.Store {
	t.Helper()
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

func TestSmallS3(t *testing.T) {
	conformance(t, func(t *testing.T) step.Store { return startS3(t).config("a/prefix") })
}

// TestRealS3 needs a server and a bucket, which the environment names.
func TestRealS3(t *testing.T) {
	endpoint := os.Getenv("PROA_TEST_S3_ENDPOINT")
	if endpoint == "" {
		if os.Getenv("CI") == "true" && os.Getenv("PROA_REQUIRE_CLUSTER") == "1" {
			t.Fatal("this must not be skipped here: PROA_TEST_S3_ENDPOINT is not set")
		}
		t.Skip("PROA_TEST_S3_ENDPOINT (with _BUCKET, _REGION, _KEY and _SECRET) is not set")
	}
	conformance(t, func(t *testing.T) step.Store {
		return step.Store{URL: "s3://" + os.Getenv("PROA_TEST_S3_BUCKET") + "/artifact-test/" + rand.Text(), Options: map[string]string{
			"endpoint": endpoint, "region": os.Getenv("PROA_TEST_S3_REGION"),
			"key": os.Getenv("PROA_TEST_S3_KEY"), "secret": os.Getenv("PROA_TEST_S3_SECRET"), "path_style": "true",
		}}
	})
}

// conformance tests a kind of store; fresh makes an empty one.
func conformance(t *testing.T, fresh func(t *testing.T) step.Store) {
	for name, test := range map[string]func(t *testing.T, cfg step.Store){
		"objects": testObjects, "streams": testStreams, "put new": testPutNew, "put new race": testPutNewRace, "list": testList,
		"keys": testKeys, "folders": testFolders, "damage": testDamage, "exists": testExists, "check": testCheck, "big file": testBigFile,
		"cancelled": testCancelled,
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
	defer store.Close() //nolint:errcheck // a test's
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
	if created, err := openStore(t, cfg).PutNew(t.Context(), "runs/1/outcome", []byte("0")); err != nil || created {
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
		wantObject(t, stores[0], key, winner.Load().(string)) //nolint:forcetypeassert,errcheck // stored above
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

// makeFolder fills a folder with all that an artifact can hold.
func makeFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(path, content string, mode fs.FileMode) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a test's
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("empty file", "", 0o644)
	write("a/small é", "small", 0o644)
	write("a/b/run.sh", "#!/bin/sh\n", 0o755)
	write("a.txt", "sorts before a/", 0o644)
	write("big", strings.Repeat("0123456789", 10_000), 0o644)
	write("same as big", strings.Repeat("0123456789", 10_000), 0o755)
	write("big and executable", strings.Repeat("9876543210", 10_000), 0o700)
	for i := range 40 {
		write(fmt.Sprintf("many/%02d", i), strings.Repeat(fmt.Sprint(i), 2000), 0o644)
	}
	for _, empty := range []string{"no files", "a/none/here"} {
		if err := os.MkdirAll(filepath.Join(dir, empty), 0o755); err != nil { //nolint:gosec // a test's
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../big", filepath.Join(dir, "a", "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents returns what a folder holds: content and whether it is executable, by path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			all[name+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(path)
		all[name] = fmt.Sprint(info.Mode()&0o100 != 0, string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func save(t *testing.T, s *artifact.Store, dir string) step.Artifact {
	t.Helper()
	a, err := s.Save(t.Context(), dir, "pathlib.Path", "proa:Folder", "a folder <&>")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testFolders(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	dir := makeFolder(t)
	a := save(t, s, dir)
	if again := save(t, openStore(t, cfg), dir); again != a {
		t.Errorf("the same folder gave %+v, then %+v", a, again)
	}
	want := contents(t, dir)
	target := filepath.Join(t.TempDir(), "deep", "target")
	m, err := s.Fetch(t.Context(), a.Digest, target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, contents(t, target)); diff != "" {
		t.Errorf("the folder came back changed (-want +got):\n%s", diff)
	}
	size, inline := int64(0), 0
	for i, f := range m.Files {
		size, inline = size+f.Size, inline+len(f.Inline)
		if i > 0 && m.Files[i-1].Path >= f.Path {
			t.Errorf("%q comes after %q", f.Path, m.Files[i-1].Path)
		}
	}
	if size != a.Size || a.Type != "pathlib.Path" || a.Materializer != "proa:Folder" || a.Preview != "a folder <&>" {
		t.Errorf("the artifact is %+v, and its files have %d bytes", a, size)
	}
	if inline == 0 || inline > 64<<10 {
		t.Errorf("%d bytes are inline", inline)
	}
	if _, err := s.Fetch(t.Context(), a.Digest, target); err == nil {
		t.Error("fetching into a full folder succeeded")
	}
	if err := os.Mkdir(target+"2", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(t.Context(), a.Digest, target+"2"); err != nil {
		t.Errorf("fetching into an empty folder: %v", err)
	}
	onlyEntries(t, filepath.Dir(target), "target", "target2")
	empty := save(t, s, t.TempDir())
	if _, err := s.Fetch(t.Context(), empty.Digest, target+"3"); err != nil || empty.Size != 0 {
		t.Errorf("an empty folder: %+v, error %v", empty, err)
	}
}

// onlyEntries fails if a folder holds anything else.
func onlyEntries(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// blobs returns the keys of the artifact's blobs, without its manifest's.
func blobs(t *testing.T, s *artifact.Store, digest string) []string {
	t.Helper()
	m, err := s.Manifest(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range m.Files {
		if f.Size > 0 && len(f.Inline) == 0 {
			key, err := artifact.BlobKey(f.Digest)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
	}
	return keys
}

func testDamage(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	a := save(t, s, makeFolder(t))
	parent := t.TempDir()
	fetch := func() error {
		_, err := s.Fetch(t.Context(), a.Digest, filepath.Join(parent, "target"))
		return err
	}
	keys := blobs(t, s, a.Digest)
	good, err := s.Get(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	put(t, s, keys[0], string(bad))
	if err := fetch(); !errors.Is(err, artifact.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(keys[0])) {
		t.Errorf("a damaged blob: got %v, want ErrCorrupt with the blob's name", err)
	}
	if err := s.Delete(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	if err := fetch(); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a missing blob: got %v, want ErrNotFound", err)
	}
	put(t, s, keys[0], string(good))
	manifest, err := artifact.BlobKey(a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, manifest, "{}")
	if err := fetch(); !errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("a damaged manifest: got %v, want ErrCorrupt", err)
	}
	onlyEntries(t, parent)
}

func testExists(t *testing.T, cfg step.Store) {
	s := openStore(t, cfg)
	dir := makeFolder(t)
	a := save(t, s, dir)
	want := func(what string, want bool) {
		t.Helper()
		if got, err := s.Exists(t.Context(), a.Digest); err != nil || got != want {
			t.Errorf("%s: it exists is %v, error %v; want %v", what, got, err, want)
		}
	}
	want("saved", true)
	for _, key := range blobs(t, s, a.Digest)[:2] {
		put(t, s, key, "torn")
		want("with a torn blob", false)
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		want("without a blob", false)
		save(t, s, dir)
		want("saved again", true)
	}
	key, err := artifact.BlobKey(a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	want("without its manifest", false)
	if _, err := s.Exists(t.Context(), "sha256:../../x"); err == nil {
		t.Error("something that is no digest exists")
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

package artifact_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

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

func TestFoldersThatCantBeSaved(t *testing.T) {
	s := openStore(t, step.Store{URL: "mem://"})
	for what, make := range map[string]func(dir string) error{
		"link out":         func(dir string) error { return os.Symlink("/etc/hostname", filepath.Join(dir, "link out")) },
		"link to a folder": func(dir string) error { return os.Symlink(".", filepath.Join(dir, "loop")) },
		"pipe":             func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600) },
		`back\\slash`:      func(dir string) error { return os.WriteFile(filepath.Join(dir, `back\slash`), nil, 0o600) },
	} {
		dir := t.TempDir()
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Save(t.Context(), dir, "t", "m", ""); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want an error with %q", err, what)
		}
	}
	if _, err := s.Save(t.Context(), filepath.Join(t.TempDir(), "missing"), "t", "m", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("saving a missing folder: got %v", err)
	}
}

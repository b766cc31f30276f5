package oci_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	packsWithin(t, 2, 60)
}

// TestChaosMemory takes more than a minute: a gigabyte is packed.
func TestChaosMemory(t *testing.T) {
	testbed.Long(t)
	packsWithin(t, 25, 200)
}

// packsWithin has a builder in a process of its own pack and push packages of 40 MB each with so many MB of memory.
func packsWithin(t *testing.T, packages int, limit int64) {
	t.Helper()
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := t.TempDir()
	r := pythonRequest(t, s)
	for i := range packages {
		name := "big" + string(rune('a'+i))
		random := make([]byte, 40<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(random)
		wheel{name: name, version: "1.0", files: map[string]string{name + ".bin": string(random)}}.write(t, dir)
		r.Requirements = append(r.Requirements, name)
	}
	disk := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(t.TempDir()))))
	t.Cleanup(disk.Close)
	r.Repository = strings.TrimPrefix(disk.URL, "http://") + "/team/proa"
	c := child{Request: r}
	o := offline(t, dir)
	c.Options.CacheDir, c.Options.Env = o.CacheDir, o.Env
	cmd := c.command(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("Build: %v: %s", err, out)
	}
	var peak int64 // of the builder alone, without uv
	_, after, _ := strings.Cut(string(out), "VmHWM:")
	if _, err := fmt.Sscanf(after, "%d kB", &peak); err != nil {
		t.Fatalf("the system doesn't say how much memory a process had: %v", err)
	}
	t.Logf("packing %d MB took %d MB of memory", packages*40, peak>>10)
	if peak>>10 > limit {
		t.Errorf("packing %d MB took %d MB of memory, want at most %d", packages*40, peak>>10, limit)
	}
	check(t, validate.Image(pull(t, r.Repository+":digits"), validate.Fast))
}

// TestCodeOfGigabytes is warned of before it is read, and can be interrupted while it is.
func TestCodeOfGigabytes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	root := tree(t, map[string]string{"run.py": "1", "data/large.bin": "", "data/larger.bin": ""})
	check(t, os.Truncate(filepath.Join(root, "data/large.bin"), 1<<30))
	check(t, os.Truncate(filepath.Join(root, "data/larger.bin"), 2<<30)) // they take no space
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	cache, rec := t.TempDir(), &recorder{}
	failed := make(chan error, 1)
	go func() {
		_, err := quick(t, oci.Options{CacheDir: cache}).Build(ctx, request(s, root), rec)
		failed <- err
	}()
	written := func() bool {
		found, _ := filepath.Glob(filepath.Join(cache, "tmp", "*", "code.layer"))
		return len(found) > 0
	}
	for deadline := time.Now().Add(time.Minute); !written(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing is packed; told %q", rec.text())
		}
	}
	told := rec.text()
	interrupt()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("Build = %v, want it interrupted", err)
	}
	if !strings.Contains(told, "the code is 3072 MB; the largest files are data/larger.bin (2048 MB), data/large.bin (1024 MB)") {
		t.Errorf("told %q before reading", told)
	}
	if left, _ := os.ReadDir(filepath.Join(cache, "tmp")); len(left) != 0 {
		t.Errorf("left in the cache: %v", left)
	}
}

func TestCodeWithUnusualNames(t *testing.T) {
	odd := []string{"日本語/モデル.py", "données été.txt", "two\nlines.txt", "emoji-😀.py", "not-utf8-\xff.bin", " leading space", `back\slash`,
		strings.Repeat("long/", 40) + strings.Repeat("n", 200)}
	files := map[string]string{".proaignore": "**/*.log\n", "lines\nof.log": "x"}
	for _, name := range odd {
		files[name] = "content of " + name
	}
	root := tree(t, files)
	check(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644))
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	rec := &recorder{}
	img, err := quick(t, oci.Options{}).Build(t.Context(), request(s, root), rec)
	check(t, err)
	out := filepath.Join(unpack(t, pull(t, img.Ref), 3), "app")
	for _, name := range odd {
		if data, err := os.ReadFile(filepath.Join(out, name)); err != nil || string(data) != "content of "+name {
			t.Errorf("%q = %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"fifo", "lines\nof.log"} {
		if _, err := os.Lstat(filepath.Join(out, name)); err == nil {
			t.Errorf("%q is in the image", name)
		}
	}
	if !strings.Contains(rec.text(), "left out fifo") {
		t.Errorf("told %q", rec.text())
	}
}

func TestUnreadableCode(t *testing.T) {
	needRoot(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	for _, what := range []string{"file", "folder"} {
		root := tree(t, map[string]string{"run.py": "x", "file": "x", "folder/file": "x"})
		check(t, os.Chmod(filepath.Join(root, what), 0))
		c := child{Request: request(s, root)}
		c.Options.CacheDir = t.TempDir()
		open(t, c.Options.CacheDir)
		open(t, root)
		cmd := c.command(t)
		cmd.Path = copied(t, cmd.Path)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		out, err := cmd.CombinedOutput()
		for _, want := range []string{filepath.Join(root, what), ".proaignore", "permission denied"} {
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("unreadable %s: %v, %s; want it to say %q", what, err, out, want)
			}
		}
		write(t, filepath.Join(root, ".proaignore"), what+"\n")
		again := c.command(t)
		again.Path, again.SysProcAttr = cmd.Path, cmd.SysProcAttr
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("unreadable %s that is left out: %v: %s", what, err, out)
		}
	}
}

// copied is a copy of a program that everybody may run.
func copied(t *testing.T, program string) string {
	t.Helper()
	data, err := os.ReadFile(program)
	check(t, err)
	target := filepath.Join(t.TempDir(), "builder")
	check(t, os.WriteFile(target, data, 0o755))
	open(t, filepath.Dir(target))
	return target
}

// TestCacheIsFull has the cache on a disk of its own that is too small for the code's layer.
func TestCacheIsFull(t *testing.T) {
	needRoot(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	c := child{Request: request(s, tree(t, map[string]string{"data.bin": noise(2 << 20)})), Disk: 1 << 20}
	c.Options.CacheDir = t.TempDir()
	cmd := c.command(t)
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"no space is left for the image cache in " + c.Options.CacheDir, "free some"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("Build: %v, %s; want it to say %q", err, out, want)
		}
	}
	if tags, err := quick(t, oci.Options{}).Tags(t.Context(), c.Request.Repository); err != nil || len(tags) > 0 {
		t.Errorf("images %v, %v; want none", tags, err)
	}
	c.Disk = 16 << 20
	cmd = c.command(t)
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("on a larger disk: %v: %s", err, out)
	}
}

// TestTwoMachinesBuildAtOnce has two builders meet at each request that makes something.
func TestTwoMachinesBuildAtOnce(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	var meet sync.WaitGroup
	meet.Add(2)
	var once sync.Map
	s.setFault(func(_ http.ResponseWriter, r *http.Request) bool { // neither finds what the other one makes
		if _, kind, last := split(r.URL.Path); kind == "manifests" && strings.HasPrefix(last, "env-") && r.Method == http.MethodGet {
			if _, again := once.LoadOrStore(r.RemoteAddr, true); !again {
				meet.Done()
				meet.Wait()
			}
		}
		return false
	})
	dir := index(t)
	var refs [2]string
	var wg sync.WaitGroup
	for i := range refs {
		o, r := offline(t, dir), pythonRequest(t, s, "big-thing", "alpha")
		r.Code = tree(t, map[string]string{"run.py": "print(1)\n"})
		wg.Go(func() {
			img, err := quick(t, o).Build(t.Context(), r, nil)
			if err != nil || img.Reused {
				t.Errorf("Build = %v, %v", img, err)
			}
			refs[i] = img.Ref
		})
	}
	wg.Wait()
	if refs[0] != refs[1] {
		t.Errorf("two builders made %s and %s", refs[0], refs[1])
	}
	check(t, validate.Image(pull(t, refs[0])))
	if diff := cmp.Diff([]string{"alpha-1.0", "beta-1.0", "big_thing-2.0"}, installed(t, refs[0])); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

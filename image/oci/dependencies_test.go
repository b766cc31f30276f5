package oci_test

import (
	"encoding/binary"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

// index makes a folder of three packages: alpha needs beta, big is large.
func index(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	wheel{name: "alpha", version: "1.0", requires: []string{"beta"}, script: "alpha = alpha:main",
		files: map[string]string{"alpha/__init__.py": "import beta\ndef main(): print('alpha', beta.v)\n",
			"alpha/tests/test_x.py": "x = 1\n", "alpha/data.txt": "data"}}.write(t, dir)
	wheel{name: "beta", version: "1.0", files: map[string]string{"beta.py": "v = 1\n"}}.write(t, dir)
	wheel{name: "big_thing", version: "2.0", files: map[string]string{"big/__init__.py": "b = 2\n", "big/blob.bin": noise(64 << 10)}}.write(t, dir)
	return dir
}

func pythonRequest(t *testing.T, s *server, requirements ...string) driver.Request {
	t.Helper()
	r := request(s, "")
	r.Interpreter, r.Python = python(t)
	r.Requirements = requirements
	return r
}

func TestDependencies(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	r := pythonRequest(t, s, "big-thing", "alpha>=1")
	rec := &recorder{}
	got, err := quick(t, offline(t, index(t))).Build(t.Context(), r, rec)
	check(t, err)
	img := pull(t, got.Ref)
	check(t, validate.Image(img))
	layers, err := img.Layers()
	check(t, err)
	if len(layers) != 6 {
		t.Errorf("%d layers, want the base's 3, the large package's and those of two groups", len(layers))
	}
	root := unpack(t, img, 3)
	site := filepath.Join(root, "opt/proa/site-packages")
	cmd := exec.CommandContext(t.Context(), r.Interpreter, "-S", filepath.Join(site, "bin/alpha"))
	cmd.Env = []string{"PYTHONPATH=" + site}
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "alpha 1" {
		t.Errorf("alpha = %q, %v", out, err)
	}
	script, err := os.ReadFile(filepath.Join(site, "bin/alpha"))
	check(t, err)
	if !strings.HasPrefix(string(script), "#!/usr/bin/env python3\n") {
		t.Errorf("script starts with %.60q", script)
	}
	tag := ".cpython-" + strings.ReplaceAll(r.Python, ".", "") + ".pyc"
	for _, file := range []string{"alpha/__pycache__/__init__", "__pycache__/beta", "big/__pycache__/__init__"} {
		data, err := os.ReadFile(filepath.Join(site, file+tag))
		check(t, err)
		if flags := binary.LittleEndian.Uint32(data[4:8]); flags != 1 {
			t.Errorf("%s has flags %d, want unchecked-hash", file, flags)
		}
		if !strings.Contains(string(data), "/opt/proa/site-packages/") || strings.Contains(string(data), "/tmp/build-") {
			t.Errorf("%s names the folder it was compiled in", file)
		}
	}
	for name, h := range entries(t, img, 3) {
		if h.Uid != 0 || h.ModTime.Unix() != 0 || h.Mode&0o222&^0o200 != 0 || h.Mode&0o444 != 0o444 {
			t.Errorf("%s: owner %d, mode %o, time %v", name, h.Uid, h.Mode, h.ModTime)
		}
		for _, stray := range []string{".lock", "direct_url.json", "uv_cache.json", "tests/__pycache__"} {
			if strings.Contains(name, stray) {
				t.Errorf("stray file %s", name)
			}
		}
	}
	if !strings.Contains(rec.text(), "resolving 2 requirements") {
		t.Errorf("progress = %q", rec.text())
	}
}

func TestChangedRequirementKeepsOtherLayers(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	o := offline(t, dir)
	first, err := quick(t, o).Build(t.Context(), pythonRequest(t, s, "big-thing", "alpha"), nil)
	check(t, err)
	wheel{name: "beta", version: "1.1", files: map[string]string{"beta.py": "v = 11\n"}}.write(t, dir)
	same, err := quick(t, o).Build(t.Context(), pythonRequest(t, s, "alpha", "big-thing"), nil)
	check(t, err)
	if same.Ref != first.Ref || !same.Reused {
		t.Errorf("requirements in another order made %v, want %v reused", same, first)
	}
	s.reset()
	changed, err := quick(t, o).Build(t.Context(), pythonRequest(t, s, "alpha", "big-thing", "beta>1"), nil)
	check(t, err)
	if changed.Key == first.Key || s.uploaded > 32<<10 {
		t.Errorf("changed = %v; uploaded %d bytes, want the large layer kept", changed, s.uploaded)
	}
	root := unpack(t, pull(t, changed.Ref), 3)
	if data, err := os.ReadFile(filepath.Join(root, "opt/proa/site-packages/beta.py")); err != nil || string(data) != "v = 11\n" {
		t.Errorf("beta = %q, %v", data, err)
	}
	// Known packages in another combination: nothing is installed, so nothing is packed.
	rec := &recorder{}
	r := pythonRequest(t, s, "alpha", "big-thing", "beta>1")
	r.Environment = map[string]string{"A": "b"}
	_, err = quick(t, o).Build(t.Context(), r, rec)
	check(t, err)
	if strings.Contains(rec.text(), "installing") {
		t.Errorf("installed again: %q", rec.text())
	}
}

func TestDependenciesAreReproducible(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	refs := make([]string, 2)
	o := offline(t, dir)
	var wg sync.WaitGroup
	s.setFault(func(w http.ResponseWriter, q *http.Request) bool {
		hide := strings.Contains(q.URL.Path, "/manifests/env-") && q.Method != http.MethodPut
		if hide {
			w.WriteHeader(http.StatusNotFound)
		}
		return hide
	})
	for i := range refs {
		r := pythonRequest(t, s, "big-thing", "alpha")
		wg.Go(func() { // two at a time, in one cache
			img, err := quick(t, o).Build(t.Context(), r, nil)
			if err != nil {
				t.Error(err)
			}
			refs[i] = img.Ref
		})
	}
	wg.Wait()
	other, err := quick(t, offline(t, dir)).Build(t.Context(), pythonRequest(t, s, "big-thing", "alpha"), nil)
	check(t, err)
	if refs[0] != refs[1] || refs[0] != other.Ref {
		t.Errorf("three equal builds made %v and %s", refs, other.Ref)
	}
}

func TestBadRequirements(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	wheel{name: "native", version: "1.0", tag: "cp311-cp311-macosx_11_0_arm64", files: map[string]string{"native.py": ""}}.write(t, dir)
	for name, c := range map[string]struct {
		requirement string
		kind        error
		want        string
	}{
		"unknown":      {"no-such-package", driver.ErrInvalid, "no-such-package"},
		"conflict":     {"beta>=7", driver.ErrInvalid, "beta"},
		"no wheel":     {"native", driver.ErrInvalid, "native"},
		"no syntax":    {"six ===", driver.ErrInvalid, "six"},
		"index is off": {"--index-url http://user:hush@127.0.0.1:1/simple", driver.ErrIndex, "package index"},
	} {
		t.Run(name, func(t *testing.T) {
			o := offline(t, dir)
			r := pythonRequest(t, s, c.requirement)
			if errors.Is(c.kind, driver.ErrIndex) {
				o.Env = slices.DeleteFunc(o.Env, func(s string) bool {
					return strings.HasPrefix(s, "UV_OFFLINE") || strings.HasPrefix(s, "UV_FIND_LINKS")
				})
				o.Env = append(o.Env, "UV_HTTP_RETRIES=0")
				r.Requirements = append(r.Requirements, "gamma")
			}
			_, err := quick(t, o).Build(t.Context(), r, nil)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("Build = %v, want %v with %q", err, c.kind, c.want)
			}
		})
	}
}

func TestNoUV(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	t.Setenv("PATH", t.TempDir())
	r := request(s, "")
	r.Requirements, r.Python = []string{"six"}, "3.11"
	rec := &recorder{}
	_, err := quick(t, oci.Options{}).Build(t.Context(), r, rec)
	if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "pip install uv") {
		t.Errorf("Build = %v, want the remedy", err)
	}
	if !strings.Contains(rec.text(), "no Python 3.11 on this machine") {
		t.Errorf("progress = %q", rec.text())
	}
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	uv := filepath.Join(dir, "uv")
	write(t, uv, "#!/bin/sh\necho 'error: failed to copy: No space left on device (os error 28)' >&2\nexit 2\n")
	check(t, os.Chmod(uv, 0o755))
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	r := request(s, "")
	r.Requirements, r.Python = []string{"six"}, "3.11"
	o := oci.Options{CacheDir: t.TempDir(), UV: []string{uv}}
	_, err := quick(t, o).Build(t.Context(), r, nil)
	if err == nil || errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "no space is left") ||
		!strings.Contains(err.Error(), o.CacheDir) {
		t.Errorf("Build = %v, want it to name the full disk's folder", err)
	}
}

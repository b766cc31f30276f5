package oci_test

import (
	"archive/tar"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

func TestImage(t *testing.T) {
	s := newServer(t)
	s.reset()
	// What the user ignores is the user's: the files that proa adds are there all the same.
	code := tree(t, map[string]string{"run.py": "print('hi')\n", "pkg/mod.py": "x = 1\n", ".dockerignore": ".dockerignore\nproa-step\n**/proa\n**/__init__.py\n"})
	check(t, os.Chmod(filepath.Join(code, "run.py"), 0o700))
	parts := tree(t, map[string]string{"proa-step": "#!/bin/sh\n", "sdk/proa/__init__.py": "v = 1\n"})
	check(t, os.Chmod(filepath.Join(parts, "proa-step"), 0o755))
	r := request(s, code)
	r.Environment = map[string]string{"MODE": "test", "LANG": "C"}
	r.Labels = map[string]string{"dev.proa.pipeline": "digits"}
	r.Files = map[string]string{"/opt/proa/bin/proa-step": filepath.Join(parts, "proa-step"), "/opt/proa/sdk": filepath.Join(parts, "sdk")}
	r.Interpreter, r.Python = python(t)
	r.Base = s.host + "/library/python:any"
	base := pushBase(t, r.Base, "linux/amd64", "PYTHON_VERSION="+r.Python+".7", "LANG=C.UTF-8")
	s.reset()
	got, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
	check(t, err)
	if s.mounted != 3 {
		t.Errorf("mounted %d layers of the base, want 3", s.mounted)
	}
	img := pull(t, got.Ref)
	check(t, validate.Image(img))
	config, err := img.ConfigFile()
	check(t, err)
	wantEnv := []string{"PYTHON_VERSION=" + r.Python + ".7", "LANG=C", "MODE=test",
		"PATH=/opt/proa/site-packages/bin:/usr/local/bin:/usr/bin:/bin", "PROA_SITE=/opt/proa/site-packages",
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/app:/opt/proa/sdk:/opt/proa/site-packages", "PYTHONUNBUFFERED=1"}
	slices.Sort(wantEnv)
	slices.Sort(config.Config.Env)
	if diff := cmp.Diff(wantEnv, config.Config.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if c := config.Config; c.User != "65532:65532" || c.WorkingDir != "/app" || len(c.Cmd) != 0 ||
		!slices.Equal(c.Entrypoint, []string{"/opt/proa/bin/proa-step"}) || c.Labels["dev.proa.pipeline"] != "digits" {
		t.Errorf("config = %+v", c)
	}
	if layers, _ := base.Layers(); len(config.RootFS.DiffIDs) != len(layers)+2 {
		t.Errorf("%d layers, want the base's, files and code", len(config.RootFS.DiffIDs))
	}
	tag := "cpython-" + strings.ReplaceAll(r.Python, ".", "")
	want := map[string]int64{"app/": 0o755, "app/run.py": 0o755, "app/pkg/": 0o755, "app/pkg/mod.py": 0o644,
		"opt/proa/": 0o755, "opt/proa/bin/": 0o755, "opt/proa/bin/proa-step": 0o755, "opt/proa/sdk/": 0o755, "opt/proa/sdk/proa/": 0o755,
		"opt/proa/sdk/proa/__init__.py": 0o644, "opt/proa/sdk/proa/__pycache__/": 0o755,
		"opt/proa/sdk/proa/__pycache__/__init__." + tag + ".pyc": 0o644}
	modes := map[string]int64{}
	for name, h := range entries(t, img, 3) {
		modes[name] = h.Mode
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 {
			t.Errorf("%s belongs to %d:%d at %v", name, h.Uid, h.Gid, h.ModTime)
		}
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestReuse(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	code := tree(t, map[string]string{"run.py": "print(1)\n"})
	r := request(s, code)
	r.Files = map[string]string{"/opt/proa/bin/proa-step": filepath.Join(code, "run.py")}
	r.Files["/opt/proa/bin/proa-step"] = filepath.Join(tree(t, map[string]string{"s": "step"}), "s")
	cache := t.TempDir()
	build := func(cache string) driver.Image {
		t.Helper()
		s.reset()
		img, err := quick(t, oci.Options{CacheDir: cache}).Build(t.Context(), r, nil)
		check(t, err)
		return img
	}
	first := build(cache)
	if first.Reused {
		t.Error("first build says reused")
	}
	second := build(cache)
	if second.Ref != first.Ref || !second.Reused || len(s.seen()) > 5 || s.uploaded != 0 {
		t.Errorf("unchanged: %v, %d requests, %d bytes: %q", second, len(s.seen()), s.uploaded, s.seen())
	}
	write(t, filepath.Join(code, "run.py"), "print(2)\n")
	edited := build(cache)
	if edited.Ref == first.Ref || edited.Key != first.Key || !edited.Reused || len(s.seen()) > 10 {
		t.Errorf("edit: %v, %d requests: %q", edited, len(s.seen()), s.seen())
	}
	other := build(t.TempDir())
	if other.Ref != edited.Ref || !other.Reused || s.mounted != 0 {
		t.Errorf("from another machine: %v, want %v reused", other, edited)
	}
	fresh := newServer(t)
	fresh.inner, s.inner = s.inner, fresh.inner
	s.blobs = map[string]map[string]bool{}
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	if again := build(cache); again.Key == first.Key {
		t.Error("another base has the same key")
	}
}

// TestProgress wants a line for each phase and each large layer, and none of a warm build, whose end is told by who asked.
func TestProgress(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	large := tree(t, map[string]string{"data.bin": noise(9 << 20)})
	small := tree(t, map[string]string{"run.py": "print(1)\n"})
	b := quick(t, oci.Options{})
	build := func(code string) []string {
		t.Helper()
		rec := &recorder{}
		_, err := b.Build(t.Context(), request(s, code), rec)
		check(t, err)
		return rec.stays
	}
	cold := build(large)
	if len(cold) != 3 || !strings.HasPrefix(cold[0], "reading base image") || cold[1] != "pushing the code" ||
		!regexp.MustCompile(`^pushed code: 9\.4 MB in \d+\.\ds, \d+\.\d MB/s$`).MatchString(cold[2]) {
		t.Errorf("a cold build told %q", cold)
	}
	for _, code := range []string{large, small} {
		if warm := build(code); len(warm) > 0 {
			t.Errorf("a warm build told %q", warm)
		}
	}
	write(t, filepath.Join(small, "run.py"), "print(2)\n")
	if warm := build(small); len(warm) > 0 {
		t.Errorf("a code edit told %q", warm)
	}
}

func TestReproducible(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	files := map[string]string{"a.py": "a", "b/c.py": "c", "b-d.py": "d", "ä.txt": "u"}
	var refs []string
	for range 2 {
		r := request(s, tree(t, files))
		r.Requirements = nil
		img, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
		check(t, err)
		refs = append(refs, img.Ref)
		r.Tag = "env-" + img.Key
		s.setFault(func(w http.ResponseWriter, q *http.Request) bool {
			if strings.HasSuffix(q.URL.Path, "/manifests/env-"+img.Key) && q.Method != http.MethodPut {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		})
	}
	if refs[0] != refs[1] {
		t.Errorf("equal requests made %s and %s", refs[0], refs[1])
	}
}

func TestLostBlobsAreRestored(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	code := tree(t, map[string]string{"run.py": "print(1)\n"})
	r := request(s, code)
	r.Files = map[string]string{"/opt/proa/x": filepath.Join(tree(t, map[string]string{"s": "step"}), "s")}
	cache := t.TempDir()
	b := quick(t, oci.Options{CacheDir: cache})
	first, err := b.Build(t.Context(), r, nil)
	check(t, err)
	layers, err := pull(t, first.Ref).Layers()
	check(t, err)
	for _, l := range layers {
		d, err := l.Digest()
		check(t, err)
		s.forget("team/proa", d.String())
	}
	write(t, filepath.Join(code, "run.py"), "print(2)\n")
	again, err := b.Build(t.Context(), r, nil)
	check(t, err)
	check(t, validate.Image(pull(t, again.Ref)))

	// The whole registry is gone: its environments come back from the cache.
	s.mu.Lock()
	for d := range s.blobs["team/proa"] {
		delete(s.blobs["team/proa"], d)
	}
	s.mu.Unlock()
	s.setFault(func(w http.ResponseWriter, q *http.Request) bool {
		if strings.Contains(q.URL.Path, "/team/proa/manifests/") && q.Method != http.MethodPut {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	restored, err := b.Build(t.Context(), r, nil)
	check(t, err)
	s.setFault(nil)
	if restored.Ref != again.Ref {
		t.Errorf("restored %s, want %s", restored.Ref, again.Ref)
	}
	check(t, validate.Image(pull(t, restored.Ref)))
}

func TestBaseFromAnotherRegistry(t *testing.T) {
	from, to := newServer(t), newServer(t)
	base := pushBase(t, from.host+"/library/python:3-slim", "linux/amd64")
	r := request(to, tree(t, map[string]string{"run.py": "x"}))
	r.Base = from.host + "/library/python:3-slim"
	b := quick(t, oci.Options{})
	img, err := b.Build(t.Context(), r, nil)
	check(t, err)
	check(t, validate.Image(pull(t, img.Ref)))
	layers, err := base.Layers()
	check(t, err)
	d, err := layers[0].Digest()
	check(t, err)
	if !to.has("team/proa", d.String()) {
		t.Error("the base's layer was not moved")
	}
	from.reset()
	r.Environment = map[string]string{"A": "b"}
	_, err = b.Build(t.Context(), r, nil)
	check(t, err)
	for _, q := range from.seen() {
		if strings.HasPrefix(q, "GET") && strings.HasSuffix(q, d.String()) {
			t.Errorf("the base was moved twice: %s", q)
		}
	}
}

func TestBadBase(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/py:312", "linux/amd64", "PYTHON_VERSION=3.12.1")
	pushBase(t, s.host+"/py:arm", "linux/arm64")
	for name, c := range map[string]struct {
		base string
		want []string
	}{
		"missing":      {s.host + "/py:none", []string{"does not exist", "parent_image", s.host + "/py:none"}},
		"other python": {s.host + "/py:312", []string{"Python 3.12.1", "3.11", "parent_image"}},
		"other arch":   {s.host + "/py:arm", []string{"linux/arm64", "linux/amd64"}},
		"malformed":    {"UPPER/case:x y", []string{"parent_image"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(s, tree(t, map[string]string{"run.py": "x"}))
			r.Base, r.Python = c.base, "3.11"
			_, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
			if !errors.Is(err, driver.ErrInvalid) {
				t.Fatalf("Build = %v, want ErrInvalid", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

// TestRateLimit has every kind of request refused seven times without a word about how long to wait.
func TestRateLimit(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	var mu sync.Mutex
	times := map[string]int{}
	s.setFault(func(w http.ResponseWriter, q *http.Request) bool {
		_, kind, _ := split(q.URL.Path)
		mu.Lock()
		defer mu.Unlock()
		if times[q.Method+kind]++; times[q.Method+kind] > 7 {
			return false
		}
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	_, err := quick(t, oci.Options{}).Build(t.Context(), request(s, tree(t, map[string]string{"run.py": "x"})), nil)
	check(t, err)
}

func TestFaults(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	var mu sync.Mutex
	times := map[string]int{}
	s.setFault(func(w http.ResponseWriter, q *http.Request) bool {
		_, kind, _ := split(q.URL.Path)
		mu.Lock()
		times[q.Method+kind]++
		n := times[q.Method+kind]
		mu.Unlock()
		switch n {
		case 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
		default:
			return false
		}
		return true
	})
	r := request(s, tree(t, map[string]string{"run.py": "x"}))
	img, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
	s.setFault(nil)
	check(t, err)
	check(t, validate.Image(pull(t, img.Ref)))
}

func TestRegistryDown(t *testing.T) {
	s := newServer(t)
	s.setFault(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true })
	_, err := quick(t, oci.Options{}).Build(t.Context(), request(s, tree(t, map[string]string{"a": "b"})), nil)
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), s.host) {
		t.Errorf("Build = %v, want ErrUnavailable naming %s", err, s.host)
	}
	r := request(s, tree(t, map[string]string{"a": "b"}))
	r.Repository = "127.0.0.1:1/proa"
	_, err = quick(t, oci.Options{}).Build(t.Context(), r, nil)
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("Build = %v, want ErrUnavailable naming the host", err)
	}
}

func TestCredentials(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
		if user, pass, _ := r.BasicAuth(); user == "ada" && pass == "hush-hush" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return true
	})
	r := request(s, tree(t, map[string]string{"run.py": "x"}))
	none := authn.NewMultiKeychain()
	for _, c := range []oci.Config{{}, {Username: "ada", Password: "hush-wrong"}} {
		b, err := oci.New(c, &oci.Options{CacheDir: t.TempDir(), Keychain: none})
		check(t, err)
		_, err = b.Build(t.Context(), r, nil)
		if !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "docker login "+s.host) ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("Build = %v, want ErrRefused with the remedy and no password", err)
		}
	}
	b, err := oci.New(oci.Config{Username: "ada", Password: "hush-hush"}, &oci.Options{CacheDir: t.TempDir(), Keychain: none})
	check(t, err)
	_, err = b.Build(t.Context(), r, nil)
	check(t, err)

	home := t.TempDir()
	write(t, filepath.Join(home, "config.json"), `{"auths":{"`+s.host+`":{"username":"ada","password":"hush-hush"}}}`)
	t.Setenv("DOCKER_CONFIG", home)
	_, err = quick(t, oci.Options{}).Build(t.Context(), r, nil)
	check(t, err)

	// What images are pushed with, nodes can pull them with.
	want := `{"auths":{"` + s.host + `":{"username":"ada","password":"hush-hush","auth":"YWRhOmh1c2gtaHVzaA=="}}}`
	for _, builder := range []*oci.Builder{b, quick(t, oci.Options{})} {
		if got, err := builder.PullConfig(t.Context(), r.Repository); err != nil || string(got.Data) != want || !got.Until.IsZero() {
			t.Errorf("PullConfig = %s, %v", got.Data, err)
		}
	}
	anonymous, err := oci.New(oci.Config{}, &oci.Options{CacheDir: t.TempDir(), Keychain: none})
	check(t, err)
	if got, err := anonymous.PullConfig(t.Context(), r.Repository); err != nil || got.Data != nil {
		t.Errorf("PullConfig without credentials = %s, %v", got.Data, err)
	}
}

func TestCancel(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") {
			cancel()
		}
		return false
	})
	cache := t.TempDir()
	_, err := quick(t, oci.Options{CacheDir: cache}).Build(ctx, request(s, tree(t, map[string]string{"a": "b"})), nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Build = %v, want cancelled", err)
	}
	for _, q := range s.seen() {
		if strings.HasPrefix(q, "PUT /v2/team/proa/manifests/") {
			t.Errorf("a cancelled build made an image: %s", q)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(cache, "tmp")); len(left) != 0 {
		t.Errorf("left in the cache: %v", left)
	}
}

func TestBinary(t *testing.T) {
	s := newServer(t)
	program := filepath.Join(tree(t, map[string]string{"proa": "\x7fELF"}), "proa")
	b := quick(t, oci.Options{})
	first, err := b.Binary(t.Context(), s.host+"/team/proa", "coordinator", "linux/amd64", program, nil)
	check(t, err)
	s.reset()
	second, err := b.Binary(t.Context(), s.host+"/team/proa", "coordinator", "linux/amd64", program, nil)
	check(t, err)
	if second.Ref != first.Ref || !second.Reused || len(s.seen()) != 1 {
		t.Errorf("again: %v, requests %q", second, s.seen())
	}
	img := pull(t, first.Ref)
	check(t, validate.Image(img))
	config, err := img.ConfigFile()
	check(t, err)
	if c := config.Config; !slices.Equal(c.Entrypoint, []string{"/proa"}) || c.User != "65532:65532" ||
		config.Architecture != "amd64" || config.OS != "linux" {
		t.Errorf("config = %+v", config)
	}
	files := entries(t, img, 0)
	if h := files["proa"]; len(files) != 1 || h == nil || h.Mode != 0o755 || h.Typeflag != tar.TypeReg {
		t.Errorf("files = %v", files)
	}
	write(t, program, "\x7fELF2")
	third, err := b.Binary(t.Context(), s.host+"/team/proa", "coordinator", "linux/amd64", program, nil)
	check(t, err)
	if third.Ref == first.Ref {
		t.Error("another program is the same image")
	}
}

func TestBuildRefusesRecipes(t *testing.T) {
	for want, recipe := range map[string]driver.Recipe{
		"dockerfile":   {Dockerfile: "Dockerfile", Packages: []string{"git"}},
		"apt_packages": {Packages: []string{"git"}},
	} {
		t.Run(want, func(t *testing.T) {
			r := request(newServer(t), "")
			r.Recipe = recipe
			_, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), want+" needs a container engine") ||
				!strings.Contains(err.Error(), "--flavor=docker") {
				t.Errorf("got %v", err)
			}
		})
	}
}

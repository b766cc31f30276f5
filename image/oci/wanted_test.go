package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/spec"
)

// installed lists the packages of an image as name-version.
func installed(t *testing.T, ref string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(unpack(t, pull(t, ref), 3), "opt/proa/site-packages/*.dist-info"))
	check(t, err)
	for i, dir := range found {
		found[i] = strings.TrimSuffix(filepath.Base(dir), ".dist-info")
	}
	return found
}

func wheelSum(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}

// project makes a folder with a pyproject.toml, a uv.lock and a pylock.toml of it, which uv wrote when beta 1.1 was the newest.
func project(t *testing.T, dir string, o oci.Options) string {
	t.Helper()
	root := tree(t, map[string]string{"pyproject.toml": `[project]
name = "study"
version = "1"
requires-python = ">=3.9"
dependencies = ["alpha"]
[project.optional-dependencies]
large = ["big-thing"]
[dependency-groups]
dev = ["gamma"]
`})
	wheel{name: "gamma", version: "1.0", files: map[string]string{"gamma.py": ""}}.write(t, dir)
	for _, args := range [][]string{
		{"lock", "--quiet"}, {"export", "--quiet", "--frozen", "--no-emit-project", "--format", "pylock.toml", "--no-default-groups", "-o", "pylock.toml"},
	} {
		uv := []string{"python3", "-m", "uv"}
		if found, err := exec.LookPath("uv"); err == nil {
			uv = []string{found}
		}
		cmd := exec.CommandContext(t.Context(), uv[0], append(uv[1:], args...)...)
		cmd.Dir, cmd.Env = root, o.Env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("uv %v: %v\n%s", args, err, out)
		}
	}
	return root
}

func TestWhatIsWanted(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	wheel{name: "beta", version: "1.1", files: map[string]string{"beta.py": "v = 2\n"}}.write(t, dir)
	o := offline(t, dir)
	root := project(t, dir, o)
	wheel{name: "beta", version: "1.2", files: map[string]string{"beta.py": "v = 3\n"}}.write(t, dir)
	wheel{name: "beta", version: "1.3a1", files: map[string]string{"beta.py": "v = 4\n"}}.write(t, dir)
	own := filepath.Join(root, "wheels")
	check(t, os.Mkdir(own, 0o755))
	wheel{name: "own", version: "3.0", files: map[string]string{"own.py": ""}}.write(t, own)
	first := wheelSum(t, filepath.Join(dir, "beta-1.0-py3-none-any.whl"))
	for name, c := range map[string]struct {
		change func(r *driver.Request)
		want   []string
	}{
		"newest": {func(r *driver.Request) { r.Requirements = []string{"alpha"} }, []string{"alpha-1.0", "beta-1.2"}},
		"constraints": {func(r *driver.Request) {
			r.Requirements, r.Constraints = []string{"alpha"}, []string{"beta<1.1", "gamma<9"}
		}, []string{"alpha-1.0", "beta-1.0"}},
		"arguments": {func(r *driver.Request) {
			r.Requirements, r.InstallerArgs = []string{"alpha"}, []string{"--prerelease=allow"}
		}, []string{"alpha-1.0", "beta-1.3a1"}},
		"hashes": {func(r *driver.Request) { r.Requirements = []string{"beta==1.0 --hash=" + first} }, []string{"beta-1.0"}},
		"find links": {func(r *driver.Request) {
			r.Requirements, r.IndexOptions = []string{"own"}, []string{"--find-links ./wheels"}
		}, []string{"own-3.0"}},
		"wheel file": {func(r *driver.Request) { r.Requirements = []string{"./wheels/own-3.0-py3-none-any.whl"} }, []string{"own-3.0"}},
		"pyproject":  {func(r *driver.Request) { r.Lock = &spec.Lock{Path: "./pyproject.toml"} }, []string{"alpha-1.0", "beta-1.2"}},
		"extras": {func(r *driver.Request) {
			r.Lock = &spec.Lock{Path: "./pyproject.toml", Extras: []string{"large"}, Groups: []string{"dev"}}
		}, []string{"alpha-1.0", "beta-1.2", "big_thing-2.0", "gamma-1.0"}},
		"uv.lock": {func(r *driver.Request) { r.Lock = &spec.Lock{Path: "./uv.lock"} }, []string{"alpha-1.0", "beta-1.1"}},
		"uv.lock with extras, and more": {func(r *driver.Request) {
			r.Requirements, r.Lock = []string{"own"}, &spec.Lock{Path: "./uv.lock", Extras: []string{"large"}, Groups: []string{"dev"}}
			r.IndexOptions = []string{"--find-links ./wheels"}
		}, []string{"alpha-1.0", "beta-1.1", "big_thing-2.0", "gamma-1.0", "own-3.0"}},
		"pylock": {func(r *driver.Request) { r.Lock = &spec.Lock{Path: filepath.Join(root, "pylock.toml")} }, []string{"alpha-1.0", "beta-1.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := pythonRequest(t, s)
			r.Root = root
			c.change(&r)
			b := quick(t, o)
			got, err := b.Build(t.Context(), r, nil)
			check(t, err)
			if diff := cmp.Diff(c.want, installed(t, got.Ref)); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
			config, err := pull(t, got.Ref).RawConfigFile()
			check(t, err)
			if bytes.Contains(config, []byte(root)) {
				t.Errorf("the image's config names a folder of this machine: %s", config)
			}
			again, err := b.Build(t.Context(), r, nil)
			check(t, err)
			if !again.Reused || again.Ref != got.Ref {
				t.Errorf("again: %+v, want %s reused", again, got.Ref)
			}
		})
	}
}

func TestLockThatChanged(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	o := offline(t, dir)
	r := pythonRequest(t, s)
	r.Root, r.Lock = project(t, dir, o), &spec.Lock{Path: "./pylock.toml"}
	first, err := quick(t, o).Build(t.Context(), r, nil)
	check(t, err)
	lock := filepath.Join(r.Root, "pylock.toml")
	data, err := os.ReadFile(lock)
	check(t, err)
	sum := strings.TrimPrefix(wheelSum(t, filepath.Join(dir, "beta-1.0-py3-none-any.whl")), "sha256:")
	write(t, lock, strings.ReplaceAll(string(data), sum, strings.Repeat("0", 64)))
	_, err = quick(t, o).Build(t.Context(), r, nil)
	if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "beta") || !strings.Contains(strings.ToLower(err.Error()), "hash") {
		t.Errorf("Build with another hash in the lock = %v, want it refused, after %s", err, first.Ref)
	}
}

func TestHashThatDoesNotMatch(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	for _, line := range []string{"beta==1.0", filepath.Join(dir, "beta-1.0-py3-none-any.whl") + ` ; python_version >= "3"`} {
		_, err := quick(t, offline(t, dir)).Build(t.Context(), pythonRequest(t, s, line+" --hash=sha256:"+strings.Repeat("0", 64)), nil)
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(strings.ToLower(err.Error()), "hash mismatch") {
			t.Errorf("Build of %s = %v, want the hash refused", line, err)
		}
	}
}

// privateIndex serves a folder of wheels as an index that wants a password.
func privateIndex(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	check(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ada" || password != "hush-canary" {
			w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".whl") {
			http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		name := strings.ReplaceAll(filepath.Base(r.URL.Path), "-", "_")
		for _, file := range files {
			if base := filepath.Base(file); strings.HasPrefix(base, name+"-") {
				_, _ = fmt.Fprintf(w, "<a href=\"/files/%[1]s\">%[1]s</a>\n", base)
			}
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestPrivateIndex installs from an index with a password, and then looks for the password everywhere.
func TestPrivateIndex(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	o := offline(t, dir)
	o.Env = slices.DeleteFunc(o.Env, func(v string) bool {
		return strings.HasPrefix(v, "UV_OFFLINE") || strings.HasPrefix(v, "UV_FIND_LINKS")
	})
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	rec := &recorder{}
	r := pythonRequest(t, s, "alpha", "big-thing")
	r.IndexOptions = []string{"--index-url http://ada:${INDEX_TOKEN}@" + privateIndex(t, dir) + "/simple"}
	_, err := quick(t, o).Build(t.Context(), r, rec)
	if err == nil {
		t.Error("an index is read without its password")
	}
	r.Secrets = map[string]string{"INDEX_TOKEN": "hush-wrong"}
	_, err = quick(t, o).Build(t.Context(), r, rec)
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("Build = %v, want it refused without the password", err)
	}
	r.Secrets = map[string]string{"INDEX_TOKEN": "hush-canary"}
	got, err := quick(t, o).Build(t.Context(), r, rec)
	check(t, err)
	if diff := cmp.Diff([]string{"alpha-1.0", "beta-1.0", "big_thing-2.0"}, installed(t, got.Ref)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	img := pull(t, got.Ref)
	config, err := img.RawConfigFile()
	check(t, err)
	manifest, err := img.RawManifest()
	check(t, err)
	for where, text := range map[string]string{"log": log.String(), "progress": rec.text(), "config": string(config), "manifest": string(manifest)} {
		if strings.Contains(text, "hush") {
			t.Errorf("the password is in the %s: %s", where, text)
		}
	}
	for _, root := range []string{o.CacheDir, unpack(t, img, 3)} {
		noCanary(t, root)
	}
}

// noCanary looks for a password in all files below a folder.
func noCanary(t *testing.T, root string) {
	t.Helper()
	check(t, filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(file)
		if bytes.Contains(data, []byte("hush")) {
			t.Errorf("a password is in %s", file)
		}
		return err
	}))
}

// sdist writes a source distribution whose own backend makes a wheel with that tag; an empty tag fails to build.
func sdist(t *testing.T, dir, name, tag string) {
	t.Helper()
	backend := `import os, zipfile
TAG = "` + tag + `"
def build_wheel(where, *args, **kwargs):
    if not TAG:
        raise SystemExit("error: no compiler")
    file = "` + name + `-1.0-%s.whl" % TAG
    info = "` + name + `-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(where, file), "w") as z:
        z.writestr("` + name + `.py", "v = 1\n")
        z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: ` + name + `\nVersion: 1.0\n")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: true\nTag: %s\n" % TAG)
        z.writestr(info + "RECORD", "` + name + `.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n")
    return file
`
	files := map[string]string{
		"backend.py":     backend,
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"" + name + "\"\nversion = \"1.0\"\n",
		"PKG-INFO":       "Metadata-Version: 2.2\nName: " + name + "\nVersion: 1.0\n",
	}
	f, err := os.Create(filepath.Join(dir, name+"-1.0.tar.gz"))
	check(t, err)
	packed := gzip.NewWriter(f)
	archive := tar.NewWriter(packed)
	for file, content := range files {
		check(t, archive.WriteHeader(&tar.Header{Name: name + "-1.0/" + file, Mode: 0o644, Size: int64(len(content))}))
		_, err := archive.Write([]byte(content))
		check(t, err)
	}
	check(t, archive.Close())
	check(t, packed.Close())
	check(t, f.Close())
}

func TestSourceDistributions(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	sdist(t, dir, "pure", "py3-none-any")
	sdist(t, dir, "compiled", "cp311-cp311-linux_x86_64")
	sdist(t, dir, "broken", "")
	o := offline(t, dir)
	_, minor := python(t)
	if minor != "3.11" {
		sdist(t, dir, "compiled", "cp"+strings.ReplaceAll(minor, ".", "")+"-cp"+strings.ReplaceAll(minor, ".", "")+"-linux_x86_64")
	}
	rec := &recorder{}
	got, err := quick(t, o).Build(t.Context(), pythonRequest(t, s, "pure", "alpha"), rec)
	check(t, err)
	if diff := cmp.Diff([]string{"alpha-1.0", "beta-1.0", "pure-1.0"}, installed(t, got.Ref)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if !strings.Contains(rec.text(), "building wheels") {
		t.Errorf("progress = %q", rec.text())
	}
	for _, name := range []string{"compiled", "broken"} {
		_, err := quick(t, o).Build(t.Context(), pythonRequest(t, s, name), nil)
		for _, want := range []string{name, "has no wheel", "parent_image", "flavor docker"} {
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("Build of %s = %v, want it to say %q", name, err, want)
			}
		}
	}
}

func TestRebuild(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := index(t)
	o := offline(t, dir)
	r := pythonRequest(t, s, "beta")
	_, err := quick(t, o).Build(t.Context(), r, nil)
	check(t, err)
	wheel{name: "beta", version: "2.0", files: map[string]string{"beta.py": "v = 2\n"}}.write(t, dir)
	r.Rebuild = true
	got, err := quick(t, o).Build(t.Context(), r, nil)
	check(t, err)
	if diff := cmp.Diff([]string{"beta-2.0"}, installed(t, got.Ref)); diff != "" || got.Reused {
		t.Errorf("rebuilt: %+v, packages (-want +got):\n%s", got, diff)
	}
	r.Rebuild = false
	if again, err := quick(t, o).Build(t.Context(), r, nil); err != nil || again.Ref != got.Ref || !again.Reused {
		t.Errorf("afterwards: %+v, %v; want what was rebuilt", again, err)
	}
}

func TestReady(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	r := request(s, tree(t, map[string]string{"run.py": "x"}))
	built, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
	check(t, err)
	r.Base, r.Ready = s.host+"/team/proa:digits", true
	s.reset()
	got, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
	check(t, err)
	if got.Ref != built.Ref || s.uploaded != 0 {
		t.Errorf("ready image is %s, want %s; %d bytes were uploaded", got.Ref, built.Ref, s.uploaded)
	}
	r.Base = s.host + "/library/python:3-slim"
	if _, err := quick(t, oci.Options{}).Build(t.Context(), r, nil); !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "skip_build") {
		t.Errorf("Build of a foreign image = %v, want it refused", err)
	}
}

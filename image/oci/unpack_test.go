package oci_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// unpacked is a file of an image as a container finds it.
type unpacked struct {
	tar.Header

	content string
}

// run unpacks all layers of an image, one over the other, as a runtime does.
func run(t *testing.T, img v1.Image) map[string]unpacked {
	t.Helper()
	flat := mutate.Extract(img)
	defer func() { _ = flat.Close() }()
	out := map[string]unpacked{}
	for r := tar.NewReader(flat); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		check(t, err)
		data, err := io.ReadAll(r)
		check(t, err)
		out[strings.TrimSuffix(h.Name, "/")] = unpacked{*h, string(data)}
	}
}

// layerOf is a base's layer of files; a name that ends with a slash is a folder.
func layerOf(t *testing.T, files map[string]string) v1.Layer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Uid: 7, Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		check(t, w.WriteHeader(h))
		_, err := w.Write([]byte(files[name]))
		check(t, err)
	}
	check(t, w.Close())
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
	check(t, err)
	return l
}

// TestWhatAContainerFinds builds with everything that an image can be made of, from sources with odd modes and full of
// secrets, and looks at all that is in the image.
func TestWhatAContainerFinds(t *testing.T) {
	needUV(t)
	s := newServer(t)
	base, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		layerOf(t, map[string]string{"etc/": "", "etc/passwd": "root:x:0:0", "srv/": "", "srv/old": "old", "opt/": "", "opt/tool": "tool", "app/": "", "app/base": "of the base"}),
		layerOf(t, map[string]string{"srv/.wh.old": "", "srv/new": "new"}))
	check(t, err)
	ref, err := name.ParseReference(s.host + "/library/python:3-slim")
	check(t, err)
	check(t, remote.Write(ref, base))

	const canary = "canary-5c9e"
	wheels := filepath.Join(t.TempDir(), canary)
	check(t, os.Rename(index(t), wheels))
	code := tree(t, map[string]string{
		"run.py": "x = 1\n", "tool.sh": "#!/bin/sh\n", "pkg/__init__.py": "", "pkg/__pycache__/__init__.cpython-311.pyc": canary,
		".env": canary, ".git/config": canary, ".proa/stacks.yaml": canary, ".aws/credentials": canary, "deep/.ssh/id_rsa": canary,
		".venv/pyvenv.cfg": canary, ".venv/lib/x.py": canary, ".mypy_cache/x": canary, ".netrc": canary, "secret.txt": canary, ".dockerignore": "secret.txt\n",
	})
	parts := tree(t, map[string]string{"proa-step": "launcher", "sdk/__init__.py": "v = 1\n", "sdk/__pycache__/__init__.cpython-311.pyc": canary})
	for file, mode := range map[string]os.FileMode{"run.py": 0o600, "tool.sh": 0o700 | os.ModeSetuid, "pkg": 0o700, "pkg/__init__.py": 0o666} {
		check(t, os.Chmod(filepath.Join(code, file), mode))
	}
	check(t, os.Chmod(filepath.Join(parts, "proa-step"), 0o700))

	o := offline(t, wheels)
	o.Env = slices.DeleteFunc(o.Env, func(s string) bool { return strings.HasPrefix(s, "UV_FIND_LINKS=") })
	r := pythonRequest(t, s, "alpha", "big-thing")
	r.IndexOptions, r.Secrets = []string{"--no-index", "--find-links ${WHEELS}"}, map[string]string{"WHEELS": wheels, "TOKEN": canary + "-token"}
	r.Code, r.Files = code, map[string]string{"/opt/proa/bin/proa-step": filepath.Join(parts, "proa-step"), "/opt/proa/sdk/proa": filepath.Join(parts, "sdk")}
	b := quick(t, o)
	built, err := b.Build(t.Context(), r, nil)
	check(t, err)
	img := pull(t, built.Ref)
	files := run(t, img)
	checkNames(t, files, strings.ReplaceAll(r.Python, ".", ""))
	for name, f := range files {
		if strings.Contains(f.content+name, canary) {
			t.Errorf("%s holds what nobody may see", name)
		}
		if !strings.HasPrefix(name, "app/") && !strings.HasPrefix(name, "opt/proa") || name == "app/base" {
			continue
		}
		want := int64(0o644)
		if f.Typeflag == tar.TypeDir || slices.Contains([]string{"app/tool.sh", "opt/proa/bin/proa-step", "opt/proa/site-packages/bin/alpha"}, name) {
			want = 0o755
		}
		if f.Uid != 0 || f.Gid != 0 || f.Uname+f.Gname != "" || f.ModTime.Unix() != 0 || f.Mode != want {
			t.Errorf("%s: owner %d:%d %q, mode %o, time %v; want 0:0, %o, 1970", name, f.Uid, f.Gid, f.Uname, f.Mode, f.ModTime, want)
		}
	}
	manifest, err := img.RawManifest()
	check(t, err)
	config, err := img.RawConfigFile()
	check(t, err)
	bill, err := b.BOM(t.Context(), built.Ref)
	check(t, err)
	for what, data := range map[string][]byte{"manifest": manifest, "config": config, "bill of materials": bill} {
		if strings.Contains(string(data), canary) {
			t.Errorf("the %s holds what nobody may see: %s", what, data)
		}
	}
}

// checkNames compares with all that may be in the image.
func checkNames(t *testing.T, files map[string]unpacked, tag string) {
	t.Helper()
	const site = "opt/proa/site-packages/"
	pyc := ".cpython-" + tag + ".pyc"
	want := []string{"app/base", "app/pkg/__init__.py", "app/run.py", "app/tool.sh", "etc/passwd", "opt/tool", "srv/new",
		"opt/proa/bin/proa-step", "opt/proa/sdk/proa/__init__.py", "opt/proa/sdk/proa/__pycache__/__init__" + pyc,
		site + "alpha/__init__.py", site + "alpha/__pycache__/__init__" + pyc, site + "alpha/data.txt", site + "alpha/tests/test_x.py",
		site + "beta.py", site + "__pycache__/beta" + pyc, site + "big/__init__.py", site + "big/__pycache__/__init__" + pyc, site + "big/blob.bin",
		site + "bin/alpha", site + "alpha-1.0.dist-info/entry_points.txt"}
	for _, dist := range []string{"alpha-1.0", "beta-1.0", "big_thing-2.0"} {
		for _, file := range []string{"INSTALLER", "METADATA", "RECORD", "WHEEL"} {
			want = append(want, site+dist+".dist-info/"+file)
		}
	}
	var got []string
	for name, f := range files {
		if f.Typeflag != tar.TypeDir {
			got = append(got, name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the image (-want +got):\n%s", diff)
	}
}

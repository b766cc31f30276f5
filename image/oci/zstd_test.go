package oci_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

func TestZstd(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	r := pythonRequest(t, s, "big-thing", "alpha")
	r.Code = tree(t, map[string]string{"run.py": "print(1)\n"})
	o := offline(t, index(t))
	plain, err := quick(t, o).Build(t.Context(), r, nil)
	check(t, err)
	o.Compression = oci.Zstd
	got, err := quick(t, o).Build(t.Context(), r, nil)
	check(t, err)
	if got.Key == plain.Key {
		t.Error("another compression has the same key")
	}
	img := pull(t, got.Ref)
	check(t, validate.Image(img, validate.Fast))
	config, err := img.ConfigFile()
	check(t, err)
	layers, err := img.Layers()
	check(t, err)
	for i, l := range layers {
		plain, err := l.Uncompressed()
		check(t, err)
		if sum, _, err := v1.SHA256(plain); err != nil || sum != config.RootFS.DiffIDs[i] {
			t.Errorf("layer %d is %s without compression, want %s: %v", i, sum, config.RootFS.DiffIDs[i], err)
		}
	}
	m, err := img.Manifest()
	check(t, err)
	for i, l := range m.Layers {
		if base := i < 3; base == (l.MediaType == types.OCILayerZStd) {
			t.Errorf("layer %d has media type %s", i, l.MediaType)
		}
	}
	if data, err := os.ReadFile(filepath.Join(unpack(t, img, 3), "app/run.py")); err != nil || string(data) != "print(1)\n" {
		t.Errorf("run.py = %q, %v", data, err)
	}
	o.CacheDir = t.TempDir()
	if again, err := quick(t, o).Build(t.Context(), r, nil); err != nil || again.Ref != got.Ref || !again.Reused {
		t.Errorf("elsewhere: %v, %v; want %s found", again, err, got.Ref)
	}

	// The launcher unpacks the archive of code: store, which is as it always is.
	archive, err := quick(t, o).Pack(t.Context(), r, nil)
	check(t, err)
	if data, err := os.ReadFile(archive.Path); err != nil || !strings.HasPrefix(string(data), "\x1f\x8b") {
		t.Errorf("the archive of code begins with %.4q, %v", data, err)
	}
}

func TestZstdNeedsMediaTypes(t *testing.T) {
	s := newServer(t)
	base, err := random.Image(64, 1) // with Docker's media types
	check(t, err)
	if kind, err := mutate.MediaType(base, types.DockerManifestSchema2).MediaType(); err != nil || kind != types.DockerManifestSchema2 {
		t.Fatalf("base is %s, %v", kind, err)
	}
	ref, err := name.ParseReference(s.host + "/library/python:3-slim")
	check(t, err)
	check(t, remote.Write(ref, base))
	_, err = quick(t, oci.Options{Compression: oci.Zstd}).Build(t.Context(), request(s, tree(t, map[string]string{"run.py": ""})), nil)
	for _, want := range []string{ref.Name(), "zstd", "--compression=gzip", "parent_image"} {
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Build = %v, want it to say %q", err, want)
		}
	}
}

package oci_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/oci"
)

// TestSeveralPlatforms builds for two platforms: each image has its own wheels and launcher, and the tag is their index.
func TestSeveralPlatforms(t *testing.T) {
	needUV(t)
	s := newServer(t)
	base := s.host + "/library/python:3-slim"
	var both v1.ImageIndex = empty.Index
	for _, arch := range []string{"amd64", "arm64"} {
		img := pushBase(t, base+"-"+arch, "linux/"+arch)
		both = mutate.AppendManifests(both, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	ref, err := name.ParseReference(base)
	check(t, err)
	check(t, remote.WriteIndex(ref, both))
	dir := index(t)
	_, minor := python(t)
	for _, machine := range []string{"x86_64", "aarch64"} {
		wheel{name: "native", version: "1.0", tag: "py3-none-manylinux_2_17_" + machine, files: map[string]string{"native.py": "machine = '" + machine + "'\n"}}.write(t, dir)
	}
	parts := tree(t, map[string]string{"amd64": "for amd64", "arm64": "for arm64"})
	r := pythonRequest(t, s, "native")
	r.Python, r.Base, r.Platform = minor, base, "linux/amd64,linux/arm64"
	const launcher = "/opt/proa/bin/proa-step"
	r.PlatformFiles = map[string]map[string]string{
		"linux/amd64": {launcher: filepath.Join(parts, "amd64")}, "linux/arm64": {launcher: filepath.Join(parts, "arm64")},
	}
	b := quick(t, offline(t, dir))
	built, err := b.Build(t.Context(), r, nil)
	check(t, err)
	tag, err := name.ParseReference(r.Repository + ":" + r.Tag)
	check(t, err)
	got, err := remote.Index(tag)
	check(t, err)
	check(t, validate.Index(got))
	if digest, _ := got.Digest(); built.Ref != r.Repository+"@"+digest.String() {
		t.Errorf("built %s, and the tag is %s", built.Ref, digest)
	}
	manifest, err := got.IndexManifest()
	check(t, err)
	machines := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}
	for _, d := range manifest.Manifests {
		arch := d.Platform.Architecture
		img, err := got.Image(d.Digest)
		check(t, err)
		config, err := img.ConfigFile()
		check(t, err)
		root := unpack(t, img, 3)
		for file, want := range map[string]string{launcher: "for " + arch, "/opt/proa/site-packages/native.py": "machine = '" + machines[arch] + "'\n"} {
			if data, err := os.ReadFile(filepath.Join(root, file)); err != nil || string(data) != want || config.Architecture != arch {
				t.Errorf("%s of the image for %s (%s) = %q, %v", file, arch, config.Architecture, data, err)
			}
		}
		delete(machines, arch)
	}
	if len(machines) > 0 {
		t.Errorf("no image for %v", machines)
	}
	again, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
	check(t, err)
	if again.Ref != built.Ref || !again.Reused {
		t.Errorf("again, elsewhere: %+v, want %s reused", again, built.Ref)
	}
}

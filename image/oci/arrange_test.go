package oci_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/proa-ml/proa/image/driver"
)

// TestManyPackages has 70 packages share few layers, so that one more, or a change of one, moves one of them.
func TestManyPackages(t *testing.T) {
	needUV(t)
	t.Parallel()
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	tall, err := random.Image(16, 108)
	check(t, err)
	ref, err := name.ParseReference(s.host + "/library/python:tall")
	check(t, err)
	check(t, remote.Write(ref, tall))
	dir := t.TempDir()
	var names []string
	for i := range 70 {
		names = append(names, fmt.Sprintf("pack%02d", i))
		wheel{name: names[i], version: "1.0", files: map[string]string{names[i] + ".bin": noise(8<<10 + i)}}.write(t, dir)
	}
	r := pythonRequest(t, s, names...)
	r.Interpreter = "" // there is nothing to compile
	o := offline(t, dir)
	build := func(large int64, r driver.Request) []v1.Hash {
		t.Helper()
		s.reset()
		o.LargeWheel = large
		img, err := quick(t, o).Build(t.Context(), r, nil)
		check(t, err)
		m, err := pull(t, img.Ref).Manifest()
		check(t, err)
		var out []v1.Hash
		for _, l := range m.Layers {
			out = append(out, l.Digest)
		}
		return out
	}
	before := build(1<<20, r)
	whole := s.uploaded
	if len(before) < 3+12 || len(before) > 3+16 {
		t.Errorf("%d layers, want up to 16 groups on the base's 3", len(before))
	}
	wheel{name: "pack07", version: "2.0", files: map[string]string{"pack07.bin": noise(8 << 10)}}.write(t, dir)
	wheel{name: "extra", version: "1.0", files: map[string]string{"extra.bin": noise(8 << 10)}}.write(t, dir)
	for what, more := range map[string]string{"another version": "pack07>1", "one more": "extra"} {
		changed := r
		changed.Requirements = append(slices.Clone(names), "pack07<2", more)
		if more == "pack07>1" {
			changed.Requirements = append(slices.Clone(names), more)
		}
		after := build(1<<20, changed)
		fresh := slices.DeleteFunc(slices.Clone(after), func(h v1.Hash) bool { return slices.Contains(before, h) })
		if len(fresh) != 1 || s.uploaded > whole/4 {
			t.Errorf("%s: %d new layers and %d bytes, want 1 and few of %d", what, len(fresh), s.uploaded, whole)
		}
	}
	r.Environment = map[string]string{"A": "b"}
	if own := build(1, r); len(own) < 3+48+10 || len(own) > 3+48+16 {
		t.Errorf("%d layers, want 48 packages with one of their own, and groups", len(own))
	}
	r.Base = s.host + "/library/python:tall"
	if most := build(1, r); len(most) > 127 {
		t.Errorf("%d layers, more than a node can stack", len(most))
	}
}

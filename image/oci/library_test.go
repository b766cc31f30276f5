package oci_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

func TestBillOfMaterials(t *testing.T) {
	needUV(t)
	for name, s := range map[string]*server{
		"registry that tracks referrers": newServer(t, registry.WithReferrersSupport(true)), "registry that doesn't": newServer(t),
	} {
		t.Run(name, func(t *testing.T) { billOfMaterials(t, s) })
	}
}

func billOfMaterials(t *testing.T, s *server) {
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	r := pythonRequest(t, s, "alpha", "big-thing")
	b := quick(t, offline(t, index(t)))
	built, err := b.Build(t.Context(), r, nil)
	check(t, err)
	data, err := b.BOM(t.Context(), built.Ref)
	check(t, err)
	var bill struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Type, Name, Version, PURL string }
	}
	check(t, json.Unmarshal(data, &bill))
	var got []string
	for _, c := range bill.Components {
		got = append(got, c.Type+" "+c.Name+" "+c.PURL)
	}
	want := []string{"container " + r.Base + " ", "library alpha pkg:pypi/alpha@1.0", "library beta pkg:pypi/beta@1.0", "library big-thing pkg:pypi/big-thing@2.0"}
	if diff := cmp.Diff(want, got); diff != "" || bill.Format != "CycloneDX" {
		t.Errorf("bill of %s (-want +got):\n%s", bill.Format, diff)
	}
	// Other tools find it the same way.
	digest, err := name.NewDigest(built.Ref)
	check(t, err)
	index, err := remote.Referrers(digest)
	check(t, err)
	manifest, err := index.IndexManifest()
	check(t, err)
	if len(manifest.Manifests) != 1 {
		t.Errorf("referrers = %+v", manifest.Manifests)
	}
	if _, err := b.BOM(t.Context(), r.Base); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("bill of an image that proa didn't build = %v", err)
	}
}

func TestLibrary(t *testing.T) {
	needUV(t)
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	o := offline(t, index(t))
	b := quick(t, o)
	r := pythonRequest(t, s, "alpha", "big-thing")
	r.Code = tree(t, map[string]string{"run.py": "x"})
	r.Annotations = map[string]string{"org.opencontainers.image.revision": "abc"}
	r.Labels = map[string]string{"dev.proa.pipeline": "digits"}
	first, err := b.Build(t.Context(), r, nil)
	check(t, err)
	other := r
	other.Tag, other.Requirements = "other", []string{"beta"}
	second, err := b.Build(t.Context(), other, nil)
	check(t, err)

	tags, err := b.Tags(t.Context(), r.Repository)
	check(t, err)
	digest := func(i driver.Image) string { return i.Ref[strings.Index(i.Ref, "@")+1:] }
	if diff := cmp.Diff([]driver.Tagged{{Tag: "digits", Digest: digest(first)}, {Tag: "other", Digest: digest(second)}}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	got, err := b.Inspect(t.Context(), r.Repository+":digits")
	check(t, err)
	var what []string
	for _, l := range got.Layers {
		what = append(what, l.What+" "+strings.Join(l.Contents, "+"))
	}
	want := []string{"base ", "base ", "base ", "big-thing==2.0 ", "1 small package alpha==1.0", "1 small package beta==1.0", "code "}
	if diff := cmp.Diff(want, what); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	for label, want := range map[string]string{
		"dev.proa.pipeline": "digits", "dev.proa.environment": first.Key, "org.opencontainers.image.revision": "abc",
		"org.opencontainers.image.base.name": r.Base,
	} {
		if got.Labels[label] != want {
			t.Errorf("label %s = %q, want %q", label, got.Labels[label], want)
		}
	}
	if got.Ref != first.Ref || got.Platform != "linux/amd64" || got.Base != r.Base || got.Annotations["org.opencontainers.image.revision"] != "abc" {
		t.Errorf("image = %+v", got)
	}

	// An environment is in use as long as an image is built on it.
	r.Requirements = []string{"alpha"}
	_, err = b.Build(t.Context(), r, nil)
	check(t, err)
	unused, err := b.Unused(t.Context(), r.Repository, time.Now())
	check(t, err)
	if diff := cmp.Diff([]string{"env-" + first.Key}, unused); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
	check(t, b.Remove(t.Context(), r.Repository, append(unused, "never-there")))
	if unused, err = b.Unused(t.Context(), r.Repository, time.Now()); err != nil || len(unused) > 0 {
		t.Errorf("after removing: %v, %v", unused, err)
	}
	freed, err := b.Clear()
	if err != nil || freed < 64<<10 {
		t.Errorf("emptying the cache freed %d bytes, %v", freed, err)
	}
	_, err = b.Build(t.Context(), r, nil)
	check(t, err)
	if _, err := b.Inspect(t.Context(), r.Repository+":none"); !errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), "proa image list") {
		t.Errorf("an image that isn't there: %v", err)
	}
	if tags, err := quick(t, oci.Options{}).Tags(t.Context(), s.host+"/nothing/proa"); err != nil || len(tags) > 0 {
		t.Errorf("tags of a repository that isn't there: %v, %v", tags, err)
	}
}

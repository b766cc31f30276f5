package oci

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proa-ml/proa/image/driver"
)

// buildIndex makes an image for each platform, under a tag of its own, and the index that stands for all of them.
func (b *Builder) buildIndex(ctx context.Context, r driver.Request, p driver.Progress) (driver.Image, error) {
	repo, err := b.repository(r.Repository)
	if err != nil {
		return driver.Image{}, err
	}
	out := driver.Image{Reused: true}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: r.Annotations}
	var keys []string
	for platform := range strings.SplitSeq(r.Platform, ",") {
		system, arch, _ := strings.Cut(platform, "/")
		one := r
		one.Platform, one.Tag = platform, short(r.Tag, 128-1-len(arch))+"-"+arch
		built, err := b.build(ctx, one, p)
		if err != nil {
			return driver.Image{}, err
		}
		keys, out.Reused = append(keys, built.Key), out.Reused && built.Reused
		d, err := b.descriptor(ctx, built.Ref)
		if err != nil {
			return driver.Image{}, explain(err, repo, "read")
		}
		d.Platform = &v1.Platform{OS: system, Architecture: arch}
		index.Manifests = append(index.Manifests, d)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return driver.Image{}, err
	}
	dst, err := b.connect(ctx, repo, true)
	if err != nil {
		return driver.Image{}, err
	}
	out.Ref, out.Key = repo.Name()+"@"+mustHash(raw).String(), sum(strings.Join(keys, " "))
	return out, explain(dst.putManifest(ctx, r.Tag, document{raw: raw, kind: types.OCIImageIndex}), repo, "push to")
}

// descriptor describes an image that was just pushed.
func (b *Builder) descriptor(ctx context.Context, ref string) (v1.Descriptor, error) {
	repository, digest, _ := strings.Cut(ref, "@")
	r, err := b.open(ctx, repository)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, ok, err := r.manifest(ctx, digest)
	if err == nil && !ok {
		err = invalid(nil, "the registry lost image %s", ref)
	}
	return v1.Descriptor{MediaType: d.kind, Digest: mustHash(d.raw), Size: int64(len(d.raw))}, err
}

// merged is the union of two sets of files, of which the second goes first.
func merged(files, more map[string]string) map[string]string {
	if len(more) == 0 {
		return files
	}
	out := maps.Clone(files)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}

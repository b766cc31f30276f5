package oci

import (
	"context"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proa-ml/proa/image/driver"
)

// Binary pushes an image that holds one static program, as /proa, and nothing else. Its tag is tag, a hyphen and a hash of the
// program, so that asking for it again costs one request.
func (b *Builder) Binary(
	ctx context.Context, repository, tag, platform, program string, p driver.Progress,
) (driver.Image, error) {
	repo, err := b.repository(repository)
	if err != nil {
		return driver.Image{}, err
	}
	content, err := b.fileSum(program)
	if err != nil {
		return driver.Image{}, fmt.Errorf("reading the program for the image: %w", err)
	}
	key := sum(fmt.Sprintf("binary %d %s %s", layout, platform, content))
	full := short(tag, 128-17) + "-" + key[:16]
	dst, err := b.connect(ctx, repo, true)
	if err != nil {
		return driver.Image{}, err
	}
	digest, found, err := dst.head(ctx, full)
	if err != nil {
		return driver.Image{}, explain(err, repo, "read from")
	}
	if !found {
		out := &progress{p: p}
		out.Phase("pushing the coordinator's image")
		if digest, err = b.pushBinary(ctx, dst, full, platform, program); err != nil {
			return driver.Image{}, explain(err, repo, "push to")
		}
	}
	return driver.Image{Ref: repo.Name() + "@" + digest, Key: key, Reused: found}, nil
}

func short(tag string, most int) string {
	if len(tag) > most {
		return tag[:most]
	}
	return tag
}

func (b *Builder) pushBinary(ctx context.Context, dst *registry, tag, platform, program string) (string, error) {
	temp, remove, err := b.cache.temp()
	if err != nil {
		return "", err
	}
	defer remove()
	info, err := os.Stat(program)
	if err != nil {
		return "", fmt.Errorf("reading the program for the image: %w", err)
	}
	l, err := writeLayer(ctx, temp+"/binary.layer", Gzip, []item{{name: "proa", source: program, size: info.Size(), exec: true}})
	if err != nil {
		return "", err
	}
	img, err := bare(l, platform)
	if err != nil {
		return "", err
	}
	m, _, err := img.parse()
	if err != nil {
		return "", err
	}
	blobs := []blob{{digest: l.Digest.String(), size: l.Size, open: l.open}, configBlob(m.Config, img.Config, false)}
	for _, one := range blobs {
		if err := dst.upload(ctx, one, func(int64) {}); err != nil {
			return "", err
		}
	}
	return img.digest(), dst.putManifest(ctx, tag, img.document())
}

// bare draws an image without a base.
func bare(l layer, platform string) (picture, error) {
	system, arch, _ := strings.Cut(platform, "/")
	m := &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: v1.Descriptor{MediaType: types.OCIConfigJSON}}
	c := &v1.ConfigFile{OS: system, Architecture: arch, RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{
		Entrypoint: []string{"/proa"}, User: user, WorkingDir: "/"}}
	stack(m, c, types.OCIManifestSchema1, []named{{layer: l, what: "coordinator"}})
	return draw(m, c, types.OCIManifestSchema1)
}

package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proa-ml/proa/image/driver"
)

// base is the image that everything is put on. Only its manifest and config are read.
type base struct {
	text string
	ref  name.Reference
	reg  *registry
	// digest is what the reference stands for now: a manifest or an index.
	digest string
	// same says that it is on the registry we push to, so that its blobs can be mounted.
	same bool
}

// baseReference parses the base's name; a base on our own registry is reached as our registry is.
func (b *Builder) baseReference(text string, repo name.Repository) (name.Reference, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return nil, invalid(err, "base image %q is no image reference: correct parent_image", text)
	}
	if ref.Context().RegistryStr() == repo.RegistryStr() && b.config.Insecure {
		return name.ParseReference(text, name.Insecure)
	}
	return ref, nil
}

// findBase learns the base's digest with one request.
func (b *Builder) findBase(ctx context.Context, text string, ref name.Reference, dst *registry) (*base, error) {
	found := &base{text: text, ref: ref, same: ref.Context().RegistryStr() == dst.repo.RegistryStr()}
	if found.same {
		found.reg = &registry{repo: ref.Context(), scheme: dst.scheme, client: dst.client, retry: dst.retry}
	} else {
		reg, err := b.connect(ctx, ref.Context(), false)
		if err != nil {
			found.reg = &registry{repo: ref.Context(), scheme: ref.Context().Scheme(), client: &http.Client{Transport: failing{err}}, retry: dst.retry}
			return found, err
		}
		found.reg = reg
	}
	if d, ok := ref.(name.Digest); ok {
		found.digest = d.DigestStr()
		return found, nil
	}
	digest, ok, err := found.reg.head(ctx, ref.Identifier())
	if err != nil {
		return found, explain(err, ref.Context(), "read the base image")
	}
	if !ok {
		return nil, found.missing()
	}
	found.digest = digest
	return found, nil
}

// failing stands in for a registry that could not be connected to: whoever needs more than the base's digest is told
// why there is no more.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// seenBase is what a base's tag stood for when its registry last answered.
type seenBase struct {
	Digest string `json:"digest"`
}

// knownBase finds the base; while another registry than ours is away or limits our rate, the base is what it was.
func (j *job) knownBase(ctx context.Context, ref name.Reference) (*base, error) {
	key := sum(ref.Name())
	found, err := j.findBase(ctx, j.r.Base, ref, j.dst)
	if err == nil {
		_ = j.cache.save("bases", key, seenBase{Digest: found.digest})
		return found, nil
	}
	var last seenBase
	if found == nil || found.same || !errors.Is(err, driver.ErrUnavailable) || !j.cache.load("bases", key, &last) {
		return nil, err
	}
	j.p.Note(fmt.Sprintf("registry %s is away; taking %s as it was last seen there", ref.Context().RegistryStr(), j.r.Base))
	found.digest = last.Digest
	return found, nil
}

// open streams one of the base's layers from an offset on.
func (f *base) open(ctx context.Context, layer v1.Descriptor, from int64) (body io.ReadCloser, err error) {
	err = f.reg.retry.do(ctx, func() error {
		body, err = f.reg.blob(ctx, layer.Digest.String(), from, layer.Size)
		return err
	})
	return body, explain(err, f.ref.Context(), "read the base image")
}

func (f *base) missing() error {
	return invalid(nil, "base image %s does not exist on %s: correct parent_image, or push that image there",
		f.text, f.ref.Context().RegistryStr())
}

// read returns the manifest and the config for the platform.
func (f *base) read(ctx context.Context, platform string) (document, *v1.ConfigFile, error) {
	d, ok, err := f.reg.manifest(ctx, f.digest)
	if err == nil && ok && d.kind.IsIndex() {
		var digest string
		if digest, err = f.choose(d.raw, platform); err != nil {
			return document{}, nil, err
		}
		d, ok, err = f.reg.manifest(ctx, digest)
	}
	if err != nil {
		return document{}, nil, explain(err, f.ref.Context(), "read the base image")
	}
	if !ok {
		return document{}, nil, f.missing()
	}
	if !d.kind.IsImage() {
		return document{}, nil, invalid(nil, "base image %s has the unknown manifest type %q: choose another parent_image", f.text, d.kind)
	}
	var m v1.Manifest
	if err := json.Unmarshal(d.raw, &m); err != nil {
		return document{}, nil, invalid(err, "base image %s has an unreadable manifest", f.text)
	}
	raw, err := f.reg.small(ctx, m.Config.Digest.String())
	if err != nil {
		return document{}, nil, explain(err, f.ref.Context(), "read the base image")
	}
	var config v1.ConfigFile
	if err := json.Unmarshal(raw, &config); err != nil {
		return document{}, nil, invalid(err, "base image %s has an unreadable config", f.text)
	}
	return d, &config, nil
}

func (f *base) choose(index []byte, platform string) (string, error) {
	var m v1.IndexManifest
	if err := json.Unmarshal(index, &m); err != nil {
		return "", invalid(err, "base image %s has an unreadable index", f.text)
	}
	var have []string
	for _, d := range m.Manifests {
		if d.Platform == nil || !d.MediaType.IsImage() || d.Platform.OS == "unknown" {
			continue
		}
		got := d.Platform.OS + "/" + d.Platform.Architecture
		if got == platform {
			return d.Digest.String(), nil
		}
		have = append(have, got)
	}
	sort.Strings(have)
	return "", invalid(nil, "base image %s has no %s, only %s: choose another parent_image or platform",
		f.text, platform, strings.Join(have, ", "))
}

// takes checks that layers of a compression may be put on the base.
func (f *base) takes(manifest types.MediaType, compression string) error {
	if compression == Zstd && manifest != types.OCIManifestSchema1 {
		return invalid(nil, "the image builder's compression is zstd, and base image %s has Docker's media types (%s), which know only "+
			"gzip: set `proa image-builder update NAME --compression=gzip`, or choose a parent_image with OCI's media types", f.text, manifest)
	}
	return nil
}

// suits checks that the base is for the platform and has the Python that the requirements are resolved for. A base
// that doesn't say which Python it has is believed.
func (f *base) suits(config *v1.ConfigFile, platform, python string) error {
	if config.OS != "" && config.Architecture != "" {
		if got := config.OS + "/" + config.Architecture; got != platform {
			return invalid(nil, "base image %s is for %s, not %s: choose another parent_image or platform", f.text, got, platform)
		}
	}
	if python == "" {
		return nil
	}
	for _, pair := range config.Config.Env {
		version, ok := strings.CutPrefix(pair, "PYTHON_VERSION=")
		if ok && version != python && !strings.HasPrefix(version, python+".") {
			return invalid(nil, "base image %s has Python %s, but the pipeline was written with Python %s: "+
				"set parent_image to an image with Python %s, such as python:%s-slim, or run the pipeline with Python %s",
				f.text, version, python, python, python, minor(version))
		}
	}
	return nil
}

func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// layerType is the type of new layers on an image with that manifest type.
func layerType(manifest types.MediaType) types.MediaType {
	if manifest == types.DockerManifestSchema2 {
		return types.DockerLayer
	}
	return types.OCILayer
}

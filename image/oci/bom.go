package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	bomType = "application/vnd.cyclonedx+json"
	// emptyType is the media type of a config that says nothing.
	emptyType = "application/vnd.oci.empty.v1+json"
)

// materials is a CycloneDX document, as far as we fill it in.
type materials struct {
	Format     string      `json:"bomFormat"`
	Version    string      `json:"specVersion"`
	Serial     int         `json:"version"`
	Metadata   about       `json:"metadata"`
	Components []component `json:"components"`
}

type about struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
}

// bom lists what an environment is made of. Equal environments have equal bills, whatever code is on them.
func (j *job) bom(env picture) ([]byte, error) {
	_, c, err := env.parse()
	if err != nil {
		return nil, err
	}
	out := materials{Format: "CycloneDX", Version: "1.5", Serial: 1,
		Metadata:   about{component{Type: "container", Ref: "environment", Name: "environment-" + j.key}},
		Components: []component{{Type: "container", Ref: "base", Name: j.r.Base, Version: j.base.digest}},
	}
	for _, h := range c.History {
		what, own := strings.CutPrefix(h.CreatedBy, historyPrefix)
		if !own {
			continue
		}
		packages := []string{what}
		if h.Comment != "" {
			packages = strings.Split(h.Comment, ", ")
		}
		for _, p := range packages {
			if one, ok := packageOf(p); ok {
				out.Components = append(out.Components, one)
			}
		}
	}
	slices.SortFunc(out.Components[1:], func(a, b component) int { return strings.Compare(a.Name, b.Name) })
	return json.MarshalIndent(out, "", "  ")
}

// packageOf reads a label of a locked package: "name==version" or the name of a wheel's file.
func packageOf(label string) (component, bool) {
	name, version, ok := strings.Cut(label, "==")
	if !ok && strings.HasSuffix(label, ".whl") {
		parts := strings.SplitN(label, "-", 3)
		if ok = len(parts) == 3; ok {
			name, version = normal(parts[0]), parts[1]
		}
	}
	if !ok {
		return component{}, false
	}
	purl := "pkg:pypi/" + normal(name) + "@" + version
	return component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}, true
}

// attach puts an image's bill of materials beside it. It is an addition, so a registry that won't have it fails nothing.
func (j *job) attach(ctx context.Context, env, final picture) {
	if err := j.attachBOM(ctx, env, final); err != nil && ctx.Err() == nil {
		j.log.Debug("the bill of materials could not be attached", "error", err)
	}
}

func (j *job) attachBOM(ctx context.Context, env, final picture) error {
	data, err := j.bom(env)
	if err != nil {
		return err
	}
	subject := v1.Descriptor{MediaType: final.Kind, Digest: mustHash(final.Manifest), Size: int64(len(final.Manifest))}
	bill, empty := describe(bomType, data), describe(emptyType, []byte("{}"))
	for _, one := range []struct {
		d    v1.Descriptor
		data []byte
	}{{bill, data}, {empty, []byte("{}")}} {
		var done bool
		key := sum(j.dst.repo.Name() + " " + one.d.Digest.String())
		if j.cache.load("attached", key, &done) {
			continue
		}
		if err := j.dst.upload(ctx, blob{digest: one.d.Digest.String(), size: one.d.Size, open: inMemory(one.data)}, func(int64) {}); err != nil {
			return err
		}
		_ = j.cache.save("attached", key, true)
	}
	raw, err := json.Marshal(artifactManifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: bomType,
		Config: empty, Layers: []v1.Descriptor{bill}, Subject: subject})
	if err != nil {
		return err
	}
	return j.dst.putReferrer(ctx, raw, subject)
}

// artifactManifest is a manifest of something that belongs to an image.
type artifactManifest struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	ArtifactType  string          `json:"artifactType"`
	Config        v1.Descriptor   `json:"config"`
	Layers        []v1.Descriptor `json:"layers"`
	Subject       v1.Descriptor   `json:"subject"`
}

func mustHash(data []byte) v1.Hash {
	h, _, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return v1.Hash{} // memory is always readable
	}
	return h
}

func describe(kind string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: types.MediaType(kind), Digest: mustHash(data), Size: int64(len(data))}
}

// putReferrer stores a manifest that refers to another. A registry that keeps no track of that is given an index under
// the tag that the distribution protocol has for this case.
func (r *registry) putReferrer(ctx context.Context, raw []byte, subject v1.Descriptor) error {
	d := describe(string(types.OCIManifestSchema1), raw)
	tracked := false
	err := r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodPut, url: r.url("manifests", d.Digest.String()), kind: string(types.OCIManifestSchema1),
			size: d.Size, body: func() (io.ReadCloser, error) { return inMemory(raw)(ctx, 0) }, ok: []int{http.StatusCreated, http.StatusOK, http.StatusAccepted}})
		if err != nil {
			return err
		}
		tracked = resp.Header.Get("OCI-Subject") != ""
		discard(resp)
		return nil
	})
	if err != nil || tracked {
		return err
	}
	d.ArtifactType = bomType
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}})
	if err != nil {
		return err
	}
	return r.putManifest(ctx, referrersTag(subject.Digest.String()), document{raw: index, kind: types.OCIImageIndex})
}

func referrersTag(digest string) string { return strings.ReplaceAll(digest, ":", "-") }

// referrers lists the manifests that refer to a digest.
func (r *registry) referrers(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	var index v1.IndexManifest
	var raw []byte
	err := r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodGet, url: r.url("referrers", digest), accept: string(types.OCIImageIndex),
			ok: []int{http.StatusOK, http.StatusNotFound}})
		if err != nil {
			return err
		}
		defer discard(resp)
		if raw = nil; resp.StatusCode == http.StatusOK {
			raw, err = readAll(resp.Body)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if raw == nil {
		d, found, err := r.manifest(ctx, referrersTag(digest))
		if err != nil || !found {
			return nil, err
		}
		raw = d.raw
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("registry %s answered with an unreadable list of referrers: %w", r.repo.RegistryStr(), err)
	}
	return index.Manifests, nil
}

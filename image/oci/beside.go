package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proa-ml/proa/image/driver"
)

// Images that have a repository of their own leave a note in the stack's, so that they are found again, from any machine: a
// manifest without layers that names the repository.
const (
	noteType       = "application/vnd.proa.repository.v1"
	noteAnnotation = "dev.proa.repository"
)

// note makes an image's repository findable from the stack's. Whoever may push only to the one isn't kept from it.
func (j *job) note(ctx context.Context) {
	if j.r.Home == "" || j.r.Home == j.r.Repository {
		return
	}
	if err := j.leaveNote(ctx); err != nil && ctx.Err() == nil {
		j.log.Debug("the repository could not be noted in the stack's", "repository", j.r.Repository, "error", err)
	}
}

func (j *job) leaveNote(ctx context.Context) error {
	home, err := j.open(ctx, j.r.Home)
	if err != nil {
		return err
	}
	tag := driver.NoteTag + sum(j.r.Repository)
	if _, found, err := home.head(ctx, tag); err != nil || found {
		return err
	}
	empty := []byte("{}")
	d := describe(emptyType, empty)
	if err := home.upload(ctx, blob{digest: d.Digest.String(), size: d.Size, open: inMemory(empty)}, func(int64) {}); err != nil {
		return err
	}
	raw, err := json.Marshal(noteManifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: noteType, Config: d,
		Layers: []v1.Descriptor{d}, Annotations: map[string]string{noteAnnotation: j.r.Repository}})
	if err != nil {
		return err
	}
	return home.putManifest(ctx, tag, document{raw: raw, kind: types.OCIManifestSchema1})
}

// noteManifest is a manifest that says something, and holds nothing.
type noteManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Annotations   map[string]string `json:"annotations"`
}

// Repositories implements driver.Library.
func (b *Builder) Repositories(ctx context.Context, home string) ([]string, error) {
	r, tags, err := b.tags(ctx, home)
	if err != nil {
		return nil, err
	}
	out := []string{home}
	for _, tag := range tags {
		if !strings.HasPrefix(tag, driver.NoteTag) {
			continue
		}
		d, found, merr := r.manifest(ctx, tag)
		var m noteManifest
		if err = errors.Join(err, merr); merr == nil && found && json.Unmarshal(d.raw, &m) == nil && m.ArtifactType == noteType {
			out = append(out, m.Annotations[noteAnnotation])
		}
	}
	if err != nil {
		return nil, explain(err, r.repo, "list")
	}
	slices.Sort(out[1:])
	for _, one := range out[1:] {
		if repo, err := b.repository(one); err != nil || repo.RegistryStr() != r.repo.RegistryStr() {
			return nil, fmt.Errorf("%w: a note in %s names the repository %q, which isn't on that registry: remove its tag %s there",
				driver.ErrInvalid, home, one, driver.NoteTag+sum(one))
		}
	}
	return out, nil
}

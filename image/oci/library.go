package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/image/driver"
)

var _ driver.Library = (*Builder)(nil)

// open connects to a repository to read, or also to remove.
func (b *Builder) open(ctx context.Context, repository string) (*registry, error) {
	repo, err := b.repository(repository)
	if err != nil {
		return nil, err
	}
	return b.connect(ctx, repo, true)
}

// allTags lists the tags of a repository; none if it doesn't exist.
func (r *registry) allTags(ctx context.Context) ([]string, error) {
	var out []string
	next := r.url("tags", "list") + "?n=1000"
	for next != "" {
		var page struct {
			Tags []string `json:"tags"`
		}
		link := ""
		err := r.retry.do(ctx, func() error {
			resp, err := r.send(ctx, request{method: http.MethodGet, url: next, ok: []int{http.StatusOK, http.StatusNotFound}})
			if err != nil {
				return err
			}
			defer discard(resp)
			if resp.StatusCode == http.StatusNotFound {
				return nil
			}
			link = resp.Header.Get("Link")
			data, err := readAll(resp.Body)
			if err == nil {
				err = json.Unmarshal(data, &page)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, page.Tags...)
		next = following(next, link)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// following is the URL of the next page; empty if there is none.
func following(current, link string) string {
	target, rel, ok := strings.Cut(link, ";")
	if !ok || !strings.Contains(rel, "next") {
		return ""
	}
	base, err := url.Parse(current)
	if err != nil {
		return ""
	}
	next, err := base.Parse(strings.Trim(target, "<> "))
	if err != nil || next.String() == current {
		return ""
	}
	return next.String()
}

// Tags implements driver.Library.
func (b *Builder) Tags(ctx context.Context, repository string) ([]driver.Tagged, error) {
	return b.tagged(ctx, repository, func(tag string) bool { return !driver.Reserved(tag) })
}

// tags connects to a repository and lists all that it has.
func (b *Builder) tags(ctx context.Context, repository string) (*registry, []string, error) {
	r, err := b.open(ctx, repository)
	if err != nil {
		return nil, nil, err
	}
	tags, err := r.allTags(ctx)
	return r, tags, explain(err, r.repo, "list")
}

// tagged lists the tags of a repository that are wanted, and what they stand for.
func (b *Builder) tagged(ctx context.Context, repository string, wanted func(tag string) bool) ([]driver.Tagged, error) {
	r, tags, err := b.tags(ctx, repository)
	if err != nil {
		return nil, err
	}
	tags = slices.DeleteFunc(tags, func(tag string) bool { return !wanted(tag) })
	out := make([]driver.Tagged, len(tags))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, tag := range tags {
		g.Go(func() error {
			digest, _, err := r.head(gctx, tag)
			out[i] = driver.Tagged{Tag: tag, Digest: digest}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, explain(err, r.repo, "list")
	}
	return slices.DeleteFunc(out, func(t driver.Tagged) bool { return t.Digest == "" }), nil
}

// find reads an image's manifest and config.
func (b *Builder) find(ctx context.Context, text string) (*registry, document, *v1.Manifest, *v1.ConfigFile, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return nil, document{}, nil, nil, invalid(err, "%q is no image reference", text)
	}
	r, err := b.open(ctx, ref.Context().Name())
	if err != nil {
		return nil, document{}, nil, nil, err
	}
	d, ok, err := r.manifest(ctx, ref.Identifier())
	if err == nil && ok && d.kind.IsIndex() {
		var index v1.IndexManifest
		if err := json.Unmarshal(d.raw, &index); err != nil || len(index.Manifests) == 0 {
			return nil, document{}, nil, nil, invalid(err, "image %s has an unreadable index", text)
		}
		d, ok, err = r.manifest(ctx, index.Manifests[0].Digest.String())
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w: image %s; `proa image list` shows those of the stack's registry", driver.ErrNotFound, text)
	}
	var raw []byte
	var m v1.Manifest
	var config v1.ConfigFile
	if err == nil {
		if err = json.Unmarshal(d.raw, &m); err == nil {
			raw, err = r.small(ctx, m.Config.Digest.String())
		}
	}
	if err == nil {
		err = json.Unmarshal(raw, &config)
	}
	if err != nil {
		return nil, document{}, nil, nil, explain(err, r.repo, "read")
	}
	return r, d, &m, &config, nil
}

// Inspect implements driver.Library.
func (b *Builder) Inspect(ctx context.Context, ref string) (driver.Detail, error) {
	r, d, m, c, err := b.find(ctx, ref)
	if err != nil {
		return driver.Detail{}, err
	}
	labels := c.Config.Labels
	out := driver.Detail{
		Ref: r.repo.Name() + "@" + d.digest, Platform: c.OS + "/" + c.Architecture, User: c.Config.User,
		Base: labels["org.opencontainers.image.base.name"], Environment: labels[environmentLabel],
		Variables: c.Config.Env, Labels: labels, Annotations: m.Annotations, Layers: layersOf(m, c),
	}
	for _, l := range m.Layers {
		out.Size += l.Size
	}
	return out, nil
}

// layersOf says of each layer what its history tells.
func layersOf(m *v1.Manifest, c *v1.ConfigFile) []driver.Layer {
	history := slices.DeleteFunc(slices.Clone(c.History), func(h v1.History) bool { return h.EmptyLayer })
	var out []driver.Layer
	for i, l := range m.Layers {
		one := driver.Layer{Digest: l.Digest.String(), Size: l.Size, What: "base"}
		// A base's history may be incomplete; ours is at the end.
		if at := i - len(m.Layers) + len(history); at >= 0 && at < len(history) {
			if what, own := strings.CutPrefix(history[at].CreatedBy, historyPrefix); own {
				one.What = what
				if history[at].Comment != "" {
					one.Contents = strings.Split(history[at].Comment, ", ")
				}
			}
		}
		out = append(out, one)
	}
	return out
}

// BOM implements driver.Library.
func (b *Builder) BOM(ctx context.Context, ref string) ([]byte, error) {
	r, d, _, _, err := b.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	referrers, err := r.referrers(ctx, d.digest)
	if err != nil {
		return nil, explain(err, r.repo, "read")
	}
	for _, one := range referrers {
		found, ok, err := r.manifest(ctx, one.Digest.String())
		var m v1.Manifest
		if err != nil || !ok || json.Unmarshal(found.raw, &m) != nil || len(m.Layers) != 1 || m.Layers[0].MediaType != bomType {
			continue
		}
		data, err := r.small(ctx, m.Layers[0].Digest.String())
		return data, explain(err, r.repo, "read")
	}
	return nil, fmt.Errorf("%w: a bill of materials of image %s; `proa image build --rebuild` makes one", driver.ErrNotFound, ref)
}

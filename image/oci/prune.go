package oci

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/proa-ml/proa/image/driver"
)

// Unused implements driver.Library.
func (b *Builder) Unused(ctx context.Context, repository string, before time.Time) ([]string, error) {
	r, tags, err := b.tags(ctx, repository)
	if err != nil {
		return nil, err
	}
	environments, bases, err := b.inUse(ctx, r, tags)
	if err != nil {
		return nil, fmt.Errorf("finding out what images are built on: %w", err)
	}
	var unused []string
	for _, tag := range tags {
		switch key, environment := strings.CutPrefix(tag, driver.EnvironmentTag); {
		case environment && !environments[key]:
			unused = append(unused, tag)
		case strings.HasPrefix(tag, driver.RecipeTag):
			used, err := b.recipeInUse(ctx, r, tag, bases, before)
			if err != nil {
				return nil, fmt.Errorf("finding out whether %s is in use: %w", tag, err)
			}
			if !used {
				unused = append(unused, tag)
			}
		}
	}
	return unused, nil
}

// inUse returns the keys of the environments and the digests of the bases that a repository's images are built on.
func (b *Builder) inUse(ctx context.Context, r *registry, tags []string) (environments, bases map[string]bool, err error) {
	environments, bases = map[string]bool{}, map[string]bool{}
	for _, tag := range tags {
		if driver.Reserved(tag) {
			continue
		}
		_, _, _, c, err := b.find(ctx, r.repo.Name()+":"+tag)
		if err != nil {
			return nil, nil, err
		}
		environments[c.Config.Labels[environmentLabel]] = true
		bases[c.Config.Labels[baseLabel]] = true
	}
	return environments, bases, nil
}

// recipeInUse says that an image is built on what an engine has made, or may just be about to be: it was made not before a time.
func (b *Builder) recipeInUse(ctx context.Context, r *registry, tag string, bases map[string]bool, before time.Time) (bool, error) {
	digest, found, err := r.head(ctx, tag)
	if err != nil || found && bases[digest] {
		return true, err
	}
	var config *v1.ConfigFile
	if found {
		_, _, _, config, err = b.find(ctx, r.repo.Name()+"@"+digest)
	}
	if err != nil || !found {
		return true, err
	}
	return !config.Created.Time.Before(before), nil
}

// Programs implements driver.Library.
func (b *Builder) Programs(ctx context.Context, repository, program string) ([]driver.Tagged, error) {
	return b.tagged(ctx, repository, func(tag string) bool { return strings.HasPrefix(tag, program+"-") })
}

// Remove implements driver.Library.
func (b *Builder) Remove(ctx context.Context, repository string, tags []string) error {
	r, err := b.open(ctx, repository)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		digest, found, err := r.head(ctx, tag)
		if err == nil && found {
			// Some registries want the tag gone first; others know only how to remove a digest, with its tags.
			_ = r.remove(ctx, tag)
			err = r.remove(ctx, digest)
		}
		if err != nil {
			return explain(err, r.repo, "remove "+tag+" from")
		}
	}
	return nil
}

func (r *registry) remove(ctx context.Context, ref string) error {
	return r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodDelete, url: r.url("manifests", ref),
			ok: []int{http.StatusAccepted, http.StatusOK, http.StatusNoContent, http.StatusNotFound}})
		if err == nil {
			discard(resp)
		}
		return err
	})
}

// Clear implements driver.Library.
func (b *Builder) Clear() (int64, error) {
	var total int64
	err := filepath.WalkDir(b.options.CacheDir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	if err == nil {
		err = os.RemoveAll(b.options.CacheDir)
	}
	if err != nil {
		return 0, fmt.Errorf("emptying the image cache: %w", err)
	}
	return total, nil
}

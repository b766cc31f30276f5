package driver

import (
	"context"
	"time"
)

// Library is a builder that can read what was built, and remove it.
type Library interface {
	Catalogue
	Pruner
}

// Catalogue is what there is.
type Catalogue interface {
	// Repositories lists the stack's repository, home, and those beside it that images were pushed to.
	Repositories(ctx context.Context, home string) ([]string, error)
	// Tags lists the images of a repository, but for environments and the coordinator's.
	Tags(ctx context.Context, repository string) ([]Tagged, error)
	// Inspect reads an image, by tag or digest.
	Inspect(ctx context.Context, ref string) (Detail, error)
	// BOM returns the bill of materials that is attached to an image, as CycloneDX JSON.
	BOM(ctx context.Context, ref string) ([]byte, error)
}

// Pruner removes what isn't needed.
type Pruner interface {
	// Unused lists the tags of what no image of a repository is built on: environments, and what a container engine made
	// before a time.
	Unused(ctx context.Context, repository string, before time.Time) ([]string, error)
	// Programs lists the images that Binary made of programs under a tag.
	Programs(ctx context.Context, repository, tag string) ([]Tagged, error)
	// Remove removes tags and what they stand for.
	Remove(ctx context.Context, repository string, tags []string) error
	// Clear empties the cache on this machine and says how many bytes that were.
	Clear() (int64, error)
}

// Tagged is an image under a tag.
type Tagged struct {
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
}

// Detail is an image from inside.
type Detail struct {
	// Ref is by digest.
	Ref      string `json:"ref"`
	Platform string `json:"platform"`
	// Base is the reference of the base image, Environment the key of the environment; empty if the image doesn't say.
	Base        string            `json:"base,omitempty"`
	Environment string            `json:"environment,omitempty"`
	User        string            `json:"user,omitempty"`
	Size        int64             `json:"size"`
	Variables   []string          `json:"variables,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Layers      []Layer           `json:"layers"`
}

// Layer is one layer of an image.
type Layer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// What says what is in it in a word; Contents lists it where that is more than one thing.
	What     string   `json:"what"`
	Contents []string `json:"contents,omitempty"`
}

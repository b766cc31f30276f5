package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/proa-ml/proa/integration"
	"github.com/proa-ml/proa/spec"
)

// newImage describes the image that a step with these settings needs.
func newImage(p *spec.Pipeline, d spec.Docker, t Target) (Image, error) {
	integrations, err := integration.Requirements(d.Integrations...)
	if err != nil {
		return Image{}, fmt.Errorf("required_integrations: %w", err)
	}
	python := minor(p.Source.Python)
	image := Image{
		Base: d.ParentImage, Platform: d.Platform, Python: python,
		Requirements: sortedOnce(d.Requirements, integrations), Constraints: slices.Sorted(slices.Values(d.Constraints)),
		IndexOptions: d.IndexOptions, Lock: d.Lock, Environment: d.Environment, User: d.User,
		Installer: d.Installer, InstallerArgs: d.InstallerArgs, BuildSecrets: d.BuildSecrets,
		AptPackages: d.AptPackages, Dockerfile: d.Dockerfile, BuildContextRoot: d.BuildContextRoot, BuildOptions: d.BuildOptions,
		Code: d.Code, Dockerignore: d.Dockerignore, Repository: d.TargetRepository, Tag: d.ImageTag,
		SkipBuild: yes(d.SkipBuild), PreventReuse: yes(d.PreventBuildReuse),
	}
	if image.Base == "" {
		image.Base = strings.ReplaceAll(t.Base, "{python}", python)
	}
	if image.Platform == "" {
		image.Platform = t.Platform
	}
	if image.Code == spec.CodeImage {
		image.Code = "" // the default, written either way, is one image
	}
	image.Key = digest(image)
	return image, nil
}

func sortedOnce(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

func yes(b *bool) bool { return b != nil && *b }

// environment digests what of an image a step's result depends on: not where it is kept, nor how it and the code get there.
func (i Image) environment() string {
	i.Key, i.Repository, i.Tag, i.Code, i.Dockerignore = "", "", "", "", ""
	i.BuildSecrets, i.SkipBuild, i.PreventReuse = nil, false, false
	return digest(i)
}

// docker merges the Docker settings of a pipeline and a step: what the step sets replaces what the pipeline sets, except
// that environments are merged variable by variable.
func docker(pipeline, step *spec.Settings) spec.Docker {
	var d spec.Docker
	for _, s := range []*spec.Settings{pipeline, step} {
		if s == nil || s.Docker == nil {
			continue
		}
		environment, runtime := merged(d.Environment, s.Docker.Environment), merged(d.RuntimeEnvironment, s.Docker.RuntimeEnvironment)
		secrets := merged(d.BuildSecrets, s.Docker.BuildSecrets)
		overlay(&d, s.Docker)
		d.Environment, d.RuntimeEnvironment, d.BuildSecrets = environment, runtime, secrets
	}
	return d
}

// overlay sets those fields of d that over sets.
func overlay(d, over *spec.Docker) {
	to, from := reflect.ValueOf(d).Elem(), reflect.ValueOf(over).Elem()
	for i := range from.NumField() {
		if field := from.Field(i); !field.IsZero() {
			to.Field(i).Set(field)
		}
	}
}

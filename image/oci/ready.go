package oci

import (
	"context"
	"slices"

	"github.com/proa-ml/proa/image/driver"
)

// ready finds an image that proa has built before, to be run as it is.
func (j *job) ready(ctx context.Context) (driver.Image, error) {
	repo, err := j.repository(j.r.Repository)
	if err != nil {
		return driver.Image{}, err
	}
	ref, err := j.baseReference(j.r.Base, repo)
	if err != nil {
		return driver.Image{}, err
	}
	j.p.Phase("checking the image " + j.r.Base)
	if err := j.reach(ctx, repo, ref); err != nil {
		return driver.Image{}, err
	}
	_, config, err := j.base.read(ctx, j.r.Platform)
	if err != nil {
		return driver.Image{}, err
	}
	if err := j.base.suits(config, j.r.Platform, j.r.Python); err != nil {
		return driver.Image{}, err
	}
	if !slices.Equal(config.Config.Entrypoint, []string{entryFile}) {
		return driver.Image{}, invalid(nil, "image %s was not built by proa, so steps can't start in it, and skip_build is set: "+
			"leave skip_build out, and the image is made ready for steps", j.r.Base)
	}
	return driver.Image{Ref: ref.Context().Name() + "@" + j.base.digest, Reused: true}, nil
}

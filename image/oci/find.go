package oci

import (
	"context"
	"errors"

	"github.com/proa-ml/proa/image/driver"
)

var _ driver.Finder = (*Builder)(nil)

// Find implements driver.Finder.
func (b *Builder) Find(ctx context.Context, text, repository string) (digest string, found bool, err error) {
	repo, err := b.repository(repository)
	if err != nil {
		return "", false, err
	}
	ref, err := b.baseReference(text, repo)
	if err != nil {
		return "", false, err
	}
	dst, err := b.connect(ctx, repo, true)
	if err != nil {
		return "", false, err
	}
	image, err := b.findBase(ctx, text, ref, dst)
	if image == nil && errors.Is(err, driver.ErrInvalid) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return image.digest, true, nil
}

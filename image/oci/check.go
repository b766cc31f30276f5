package oci

import (
	"context"
	"net/http"

	"github.com/proa-ml/proa/image/driver"
)

var (
	_ driver.Checker     = (*Builder)(nil)
	_ driver.BaseChecker = (*Builder)(nil)
)

// Check implements driver.Checker: it begins an upload, which needs the right to push, and gives it up. A repository that Ambient
// can make it makes, as a push would: there is no other way to find out whether it may.
func (b *Builder) Check(ctx context.Context, repository string) error {
	repo, err := b.repository(repository)
	if err != nil {
		return err
	}
	r, err := b.connect(ctx, repo, true)
	if err != nil {
		return err
	}
	location, _, err := r.begin(ctx, blob{})
	if err != nil {
		return explain(err, repo, "push to")
	}
	resp, err := r.send(ctx, request{method: http.MethodDelete, url: location, ok: []int{http.StatusNoContent, http.StatusOK, http.StatusAccepted}})
	if err == nil {
		discard(resp)
	}
	return nil // a registry that can't give an upload up forgets it by itself
}

// CheckBase implements driver.BaseChecker: it asks for the base's digest.
func (b *Builder) CheckBase(ctx context.Context, text, repository string) error {
	repo, err := b.repository(repository)
	if err != nil {
		return err
	}
	ref, err := b.baseReference(text, repo)
	if err != nil {
		return err
	}
	r, err := b.connect(ctx, ref.Context(), false)
	if err != nil {
		return err
	}
	_, err = b.findBase(ctx, text, ref, r)
	return err
}

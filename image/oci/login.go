package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/ambient"
)

// Ambient knows the credentials that a machine has at the clouds which registries belong to.
type Ambient interface {
	// Credentials returns what logs in to a registry, to push or only to pull, and renews itself; nil if it knows nothing of the
	// registry. Where the machine has none, they say so by an error of package ambient.
	Credentials(host string, push bool) authn.Authenticator
	// Create makes a repository that a push found missing, and reports whether it did: most registries do so by themselves.
	Create(ctx context.Context, host, repository string) (bool, error)
}

// nobody knows no credentials.
type nobody struct{}

func (nobody) Credentials(string, bool) authn.Authenticator         { return nil }
func (nobody) Create(context.Context, string, string) (bool, error) { return false, nil }

// way is a way to log in to a registry.
type way struct {
	auth authn.Authenticator
	// ambient says that the credentials are the machine's.
	ambient bool
}

// ways are those to log in to a registry, best first: the configured credentials for our own registry, which we push to; what
// the Docker configuration says; the machine's at the registry's cloud. What the Docker configuration has may be long over.
func (b *Builder) ways(ctx context.Context, repo name.Repository, push bool) ([]way, error) {
	if push && (b.config.Username != "" || b.config.Password != "") {
		return []way{{auth: &authn.Basic{Username: b.config.Username, Password: b.config.Password}}}, nil
	}
	auth, err := authn.Resolve(ctx, b.options.Keychain, repo)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the Docker configuration's credentials for %s: %w", errRefused, repo.RegistryStr(), err)
	}
	own := b.options.Ambient.Credentials(repo.RegistryStr(), push)
	switch {
	case own == nil:
		return []way{{auth: auth}}, nil
	case auth == authn.Anonymous && push:
		return []way{{own, true}}, nil
	case auth == authn.Anonymous:
		return []way{{own, true}, {auth: auth}}, nil
	}
	return []way{{auth: auth}, {own, true}}, nil
}

// login connects to a repository in the first of several ways that the registry takes. If it takes none, the last one tells, but
// that the machine has no credentials of its own is no news to who has given others.
func (b *Builder) login(ctx context.Context, r *registry, ways []way, scopes []string, push bool) error {
	var refusal error
	for i, w := range ways {
		err := b.try(ctx, r, w, scopes, i < len(ways)-1)
		if err == nil {
			if push {
				b.mu.Lock()
				b.took[r.repo.RegistryStr()] = w
				b.mu.Unlock()
			}
			return nil
		}
		if !refused(err) {
			return err
		}
		if refusal == nil || !errors.Is(err, ambient.ErrNone) {
			refusal = err
		}
	}
	return refusal
}

// try connects in one way. A registry that takes a password with each request is asked at once, if there are other ways.
func (b *Builder) try(ctx context.Context, r *registry, w way, scopes []string, others bool) error {
	if w.ambient { // of which it isn't known yet whether there are any
		err := r.retry.do(ctx, func() error {
			_, err := authn.Authorization(ctx, w.auth)
			return err
		})
		if err != nil {
			return err
		}
	}
	greet := &greeter{RoundTripper: b.options.Transport, schemes: map[string]bool{}}
	err := r.retry.do(ctx, func() error {
		rt, err := transport.NewWithContext(ctx, r.repo.Registry, w.auth, greet, scopes)
		r.client = &http.Client{Transport: rt}
		return greet.blame(err)
	})
	r.scheme = greet.scheme(r.repo.Scheme())
	if err != nil || !others {
		return err
	}
	return r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodGet, url: r.root(), ok: []int{http.StatusOK, http.StatusNotFound}})
		if err == nil {
			discard(resp)
		}
		return err
	})
}

// refused says that another login may do better.
func refused(err error) bool {
	var status *transport.Error
	return ambient.Is(err) ||
		errors.As(err, &status) && (status.StatusCode == http.StatusUnauthorized || status.StatusCode == http.StatusForbidden)
}

// create has the repository made that a push found missing; false if it can't be.
func (r *registry) create(ctx context.Context) (bool, error) {
	if r.make == nil {
		return false, nil
	}
	made, err := r.make(ctx, r.repo.RegistryStr(), r.repo.RepositoryStr())
	if err != nil {
		return false, fmt.Errorf("%w: %w", driver.ErrRefused, err)
	}
	return made, nil
}

// isMissing says that a registry has no such repository, and makes none.
func isMissing(err error) bool {
	var status *transport.Error
	return errors.As(err, &status) && status.StatusCode == http.StatusNotFound
}

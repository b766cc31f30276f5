package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/ambient"
)

var _ driver.Puller = (*Builder)(nil)

// PullConfig implements driver.Puller: with the credentials that images are pushed with, they can be pulled. Where those are the
// machine's own at a cloud, the nodes get such that can only pull, if there are any.
func (b *Builder) PullConfig(ctx context.Context, repository string) (driver.PullConfig, error) {
	repo, err := b.repository(repository)
	if err != nil {
		return driver.PullConfig{}, err
	}
	w, err := b.taken(ctx, repo)
	if err != nil {
		return driver.PullConfig{}, err
	}
	if w.ambient {
		w.auth = b.options.Ambient.Credentials(repo.RegistryStr(), false)
	}
	c, err := authn.Authorization(ctx, w.auth)
	switch {
	case errors.Is(err, ambient.ErrNone):
		return driver.PullConfig{}, nil // such as those of a registry that anybody may pull from
	case err != nil:
		return driver.PullConfig{}, fmt.Errorf("%w: finding the credentials of registry %s: %w", driver.ErrRefused, repo.RegistryStr(), err)
	case c.Username == "" || c.Password == "":
		return driver.PullConfig{}, nil
	}
	data, err := dockerConfig(repo, c)
	if err != nil {
		return driver.PullConfig{}, err
	}
	config := driver.PullConfig{Data: data}
	if temporary, is := w.auth.(interface{ Until() time.Time }); is {
		config.Until = temporary.Until()
	}
	return config, nil
}

// Login returns the name and the password that images are pushed with; empty if there are none.
func (b *Builder) Login(ctx context.Context, repository string) (username, password string, err error) {
	repo, err := b.repository(repository)
	if err != nil {
		return "", "", err
	}
	w, err := b.taken(ctx, repo)
	if err != nil {
		return "", "", err
	}
	c, err := authn.Authorization(ctx, w.auth)
	if err != nil {
		return "", "", fmt.Errorf("%w: finding the credentials of registry %s: %w", driver.ErrRefused, repo.RegistryStr(), err)
	}
	return c.Username, c.Password, nil
}

// taken is the login that the registry took or, before there was any, the first that there is.
func (b *Builder) taken(ctx context.Context, repo name.Repository) (way, error) {
	b.mu.Lock()
	w, found := b.took[repo.RegistryStr()]
	b.mu.Unlock()
	if found {
		return w, nil
	}
	ways, err := b.ways(ctx, repo, true)
	if err != nil {
		return way{}, err
	}
	return ways[0], nil
}

// dockerConfig says a login as a Docker configuration file does.
func dockerConfig(repo name.Repository, c *authn.AuthConfig) ([]byte, error) {
	type entry struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Auth     string `json:"auth"`
	}
	return json.Marshal(map[string]map[string]entry{"auths": {configKey(repo): {
		c.Username, c.Password, base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password)),
	}}})
}

// configKey is what a Docker configuration calls a registry.
func configKey(repo name.Repository) string {
	if host := repo.RegistryStr(); host != name.DefaultRegistry {
		return host
	}
	return authn.DefaultAuthKey
}

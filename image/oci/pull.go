package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/proa-ml/proa/image/driver"
)

var _ driver.Puller = (*Builder)(nil)

// PullConfig implements driver.Puller: with the credentials that images are pushed with, they can be pulled.
func (b *Builder) PullConfig(ctx context.Context, repository string) ([]byte, error) {
	repo, err := b.repository(repository)
	if err != nil {
		return nil, err
	}
	auth, err := b.credentials(ctx, repo, true)
	if err != nil {
		return nil, err
	}
	c, err := authn.Authorization(ctx, auth)
	if err != nil {
		return nil, fmt.Errorf("%w: finding the credentials of registry %s: %w", driver.ErrRefused, repo.RegistryStr(), err)
	}
	if c.Username == "" || c.Password == "" {
		return nil, nil
	}
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

package buildkit

import (
	"context"
	"fmt"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/auth/authprovider"

	"github.com/proa-ml/proa/image/driver"
)

// Engine is where BuildKit runs.
type Engine interface {
	// Connect brings the engine up, if it has to, and opens BuildKit's API.
	Connect(ctx context.Context, p driver.Progress) (Connection, error)
	// PlainHTTP says how the engine is told that a registry speaks HTTP.
	PlainHTTP() string
	// String names the engine in messages.
	fmt.Stringer
}

// Connection is an open connection to an engine.
type Connection interface {
	// Client is BuildKit's API.
	Client() *client.Client
	// Export says how BuildKit has to hand over an image that is to be called ref.
	Export(ref string) client.ExportEntry
	// Push brings the image to the registry, if the export hasn't.
	Push(ctx context.Context, ref string, keys Keys, p driver.Progress) error
	// Keys finds credentials by the names that BuildKit has for registries.
	Keys(keys Keys) Keys
	// Lost says why BuildKit has stopped to answer during a build.
	Lost(ctx context.Context, err error) error
	// Close ends the connection, and the engine if it is there for it alone.
	Close(ctx context.Context) error
}

// Keys finds the credentials of a registry, by its host; the zero value means that there are none.
type Keys func(ctx context.Context, host string) (username, password string, err error)

// keys finds the stack's credentials for the registry that repository is on, and the Docker configuration's for others.
func (b *Builder) keys(repository string) Keys {
	own := host(repository)
	return func(ctx context.Context, registry string) (string, string, error) {
		if registry == own {
			return b.Login(ctx, repository)
		}
		reg, err := name.NewRegistry(registry)
		if err != nil {
			return "", "", fmt.Errorf("looking for the credentials of %s: %w", registry, err)
		}
		auth, err := authn.Resolve(ctx, authn.DefaultKeychain, reg)
		if err != nil {
			return "", "", fmt.Errorf("looking for the credentials of %s: %w", registry, err)
		}
		c, err := authn.Authorization(ctx, auth)
		if err != nil {
			return "", "", fmt.Errorf("looking for the credentials of %s: %w", registry, err)
		}
		return c.Username, c.Password, nil
	}
}

// provider gives them to BuildKit, which asks for them during a build.
func (k Keys) provider() authprovider.DockerAuthProviderConfig {
	return authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: func(ctx context.Context, host string, _ []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
			username, password, err := k(ctx, host)
			return types.AuthConfig{ServerAddress: host, Username: username, Password: password}, err
		},
	}
}

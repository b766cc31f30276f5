package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/client"
	"github.com/moby/moby/api/types/registry"
	moby "github.com/moby/moby/client"

	"github.com/proa-ml/proa/image/driver"
)

// DockerConfig says which Docker Engine builds.
type DockerConfig struct {
	// Host is the engine's address, such as "unix:///var/run/docker.sock"; empty means what Env says: DOCKER_HOST, then
	// the current context of the Docker configuration, then Docker's default.
	Host string
	// Env looks up a variable of the environment.
	Env func(string) string
}

// Docker is the BuildKit of a Docker Engine (version 20.10 or later), reached over its API.
type Docker struct{ config DockerConfig }

var _ Engine = (*Docker)(nil)

// NewDocker returns an engine. It isn't touched before Connect.
func NewDocker(c DockerConfig) *Docker { return &Docker{config: c} }

// String implements Engine.
func (d *Docker) String() string {
	if host, err := d.host(); err == nil && host != "" {
		return "the Docker Engine at " + host
	}
	return "the Docker Engine"
}

// PlainHTTP implements Engine.
func (d *Docker) PlainHTTP() string {
	return `add "http://<host>:<port>" to insecure-registries in its daemon.json`
}

// Connect implements Engine.
func (d *Docker) Connect(ctx context.Context, _ driver.Progress) (Connection, error) {
	host, err := d.host()
	if err != nil {
		return nil, err
	}
	options := []moby.Opt{moby.WithTLSClientConfigFromEnv()}
	if host != "" {
		options = append(options, moby.WithHost(host))
	}
	api, err := moby.New(options...)
	if err != nil {
		return nil, invalid(err, "the address of the Docker Engine is wrong: correct the attribute host, or DOCKER_HOST")
	}
	if _, err := api.Ping(ctx, moby.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s doesn't answer: start Docker, set the builder's attribute host (or DOCKER_HOST), "+
			"or use the builder flavor oci, which needs no Docker: %w", driver.ErrEngine, d, err), api.Close())
	}
	c, err := client.New(ctx, "",
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return api.DialHijack(ctx, "/grpc", "h2c", nil)
		}),
		client.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return api.DialHijack(ctx, "/session", proto, meta)
		}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to the BuildKit of %s: %w", d, err), api.Close())
	}
	return &dockerConnection{engine: d, api: api, client: c}, nil
}

// host is the address to reach the engine at; empty means Docker's default.
func (d *Docker) host() (string, error) {
	if d.config.Host != "" {
		return d.config.Host, nil
	}
	env := d.config.Env
	if host := env("DOCKER_HOST"); host != "" {
		return host, nil
	}
	folder := env("DOCKER_CONFIG")
	if folder == "" {
		folder = filepath.Join(env("HOME"), ".docker")
	}
	name := env("DOCKER_CONTEXT")
	if name == "" {
		var config struct{ CurrentContext string }
		if err := read(filepath.Join(folder, "config.json"), &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		name = config.CurrentContext
	}
	if name == "" || name == "default" {
		return "", nil
	}
	id := sha256.Sum256([]byte(name))
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := read(filepath.Join(folder, "contexts", "meta", hex.EncodeToString(id[:]), "meta.json"), &meta); err != nil {
		return "", fmt.Errorf("reading the Docker context %q: %w", name, err)
	}
	return meta.Endpoints["docker"].Host, nil
}

func read(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

type dockerConnection struct {
	engine *Docker
	api    *moby.Client
	client *client.Client
}

func (c *dockerConnection) Client() *client.Client { return c.client }

// Export hands the image to the engine's own store, from where it is pushed.
func (c *dockerConnection) Export(ref string) client.ExportEntry {
	return client.ExportEntry{Type: "moby", Attrs: map[string]string{"name": ref}}
}

// Push implements Connection.
func (c *dockerConnection) Push(ctx context.Context, ref string, keys Keys, p driver.Progress) error {
	username, password, err := keys(ctx, host(ref))
	if err != nil {
		return err
	}
	auth, err := json.Marshal(registry.AuthConfig{ServerAddress: host(ref), Username: username, Password: password})
	if err != nil {
		return err
	}
	stream, err := c.api.ImagePush(ctx, ref, moby.ImagePushOptions{RegistryAuth: base64.URLEncoding.EncodeToString(auth)})
	if err != nil {
		return refused(c.engine, ref, err)
	}
	told := map[string]bool{}
	for message, err := range stream.JSONMessages(ctx) {
		if err != nil {
			return refused(c.engine, ref, err)
		}
		if message.Error != nil {
			return refused(c.engine, ref, message.Error)
		}
		if message.Status == "Pushed" && message.ID != "" && !told[message.ID] {
			told[message.ID] = true
			p.Detail("pushed layer " + message.ID)
		}
	}
	return nil
}

// Keys implements Connection: the engine is told of the credentials with the push, and has no other names for registries.
func (c *dockerConnection) Keys(keys Keys) Keys { return keys }

// Lost implements Connection.
func (c *dockerConnection) Lost(_ context.Context, err error) error {
	return fmt.Errorf("%w: %s has stopped to answer during the build: check that it runs, then run the same command again: %w",
		driver.ErrEngine, c.engine, err)
}

// Close implements Connection.
func (c *dockerConnection) Close(context.Context) error {
	return errors.Join(c.client.Close(), c.api.Close())
}

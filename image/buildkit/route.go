package buildkit

import (
	"context"

	"github.com/moby/buildkit/client"

	"github.com/proa-ml/proa/image/driver"
)

// Route is how a BuildKit that pushes what it builds by itself reaches the stack's registry.
type Route struct {
	// Host is the registry's address as this machine and the images' names have it, Inside as BuildKit has it; empty means the
	// same.
	Host, Inside string
	// HTTP says that it speaks plain HTTP; CA holds further authorities, as PEM.
	HTTP bool
	CA   []byte
}

// Address is the registry's address for BuildKit.
func (r Route) Address() string {
	if r.Inside == "" {
		return r.Host
	}
	return r.Inside
}

// Pushing is the part of a [Connection] that is the same for every BuildKit that pushes by itself.
type Pushing struct {
	API   *client.Client
	Route Route
}

// Client implements Connection.
func (p Pushing) Client() *client.Client { return p.API }

// Export implements Connection: the image is pushed as soon as it is built.
func (p Pushing) Export(ref string) client.ExportEntry {
	attributes := map[string]string{"name": p.Route.Address() + ref[len(host(ref)):], "push": "true"}
	if p.Route.HTTP {
		attributes["registry.insecure"] = "true"
	}
	return client.ExportEntry{Type: client.ExporterImage, Attrs: attributes}
}

// Push implements Connection: it has been done.
func (p Pushing) Push(context.Context, string, Keys, driver.Progress) error { return nil }

// Keys implements Connection.
func (p Pushing) Keys(keys Keys) Keys {
	return func(ctx context.Context, registry string) (string, string, error) {
		if registry == p.Route.Address() {
			registry = p.Route.Host
		}
		return keys(ctx, registry)
	}
}

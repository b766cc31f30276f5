// Package buildkit builds what takes a container engine: a user's Dockerfile, packages of the base's distribution, and
// requirements that have to be compiled. The work is done by BuildKit, which is either part of a Docker Engine or runs
// in the cluster; see [Engine].
//
// Only the part of an image that runs programs is BuildKit's. What it makes is pushed under the tag recipe-<key> and is
// then the base of the daemonless builder, which adds proa's files and the code. So an edit of the code costs as little
// as it does there, and no engine is asked for an image that the registry has already.
package buildkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/proa-ml/proa/image/driver"
)

// Registry is the daemonless builder: it knows the registry, and finishes the images.
type Registry interface {
	driver.Builder
	driver.Checker
	Logins
	driver.Finder
	driver.Packer
	driver.Library
}

// Logins knows the credentials of the registry.
type Logins interface {
	driver.Puller
	// Login returns the name and the password that images are pushed with; empty if there are none.
	Login(ctx context.Context, repository string) (username, password string, err error)
}

// Config is what a Builder needs.
type Config struct {
	Engine   Engine
	Registry Registry
	// Index says how pip and uv find packages. It is asked when an engine builds.
	Index func() (Index, error)
}

// Options tune a Builder.
type Options struct {
	Logger *slog.Logger
}

// Builder builds images with an engine where that is needed, and without one where not. It is safe for concurrent use.
type Builder struct {
	Registry
	engine Engine
	index  func() (Index, error)
	log    *slog.Logger
}

var _ driver.Builder = (*Builder)(nil)

// New returns a builder. The engine isn't touched before it is needed.
func New(c Config, o *Options) (*Builder, error) {
	if c.Engine == nil || c.Registry == nil || c.Index == nil {
		return nil, errors.New("image builder needs an engine, a registry and an index")
	}
	b := &Builder{Registry: c.Registry, engine: c.Engine, index: c.Index, log: slog.New(slog.DiscardHandler)}
	if o != nil && o.Logger != nil {
		b.log = o.Logger
	}
	return b, nil
}

// Build makes the image and pushes it. An image whose recipe was built before costs what it costs without an engine.
func (b *Builder) Build(ctx context.Context, r driver.Request, p driver.Progress) (driver.Image, error) {
	if p == nil {
		p = silent{}
	}
	rec, err := b.recipe(ctx, r)
	if err != nil {
		return driver.Image{}, err
	}
	if rec != nil {
		base, err := b.ensure(ctx, rec, p)
		if err != nil {
			return driver.Image{}, err
		}
		if installs(r) {
			r.Requirements, r.Constraints, r.IndexOptions, r.Installer, r.InstallerArgs, r.Secrets = nil, nil, nil, "", nil, nil
		}
		r.Base, r.Recipe = base, driver.Recipe{}
	}
	return b.Registry.Build(ctx, r, p)
}

// ensure returns the reference, by digest, of what the recipe makes.
func (b *Builder) ensure(ctx context.Context, rec *recipe, p driver.Progress) (string, error) {
	ref := rec.repository + ":" + rec.tag()
	if !rec.anew() {
		digest, found, err := b.Find(ctx, ref, rec.repository)
		if err != nil {
			return "", err
		}
		if found {
			p.Detail("the Dockerfile's image is in the registry")
			return rec.repository + "@" + digest, nil
		}
	}
	if err := b.make(ctx, rec, ref, p); err != nil {
		return "", err
	}
	digest, found, err := b.Find(ctx, ref, rec.repository)
	if err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("image %s was pushed by %s, but this machine doesn't find it there: do both mean the same registry by that name?",
			ref, b.engine)
	}
	return rec.repository + "@" + digest, nil
}

// closeLimit is how long it may take to end an engine, also after the build was cancelled.
const closeLimit = 20 * time.Second

// make builds the recipe and pushes it.
func (b *Builder) make(ctx context.Context, rec *recipe, ref string, p driver.Progress) (err error) {
	p.Phase("connecting to " + b.engine.String())
	conn, err := b.engine.Connect(ctx, p)
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		err = errors.Join(err, conn.Close(ending))
	}()
	keys := b.keys(rec.repository)
	if err := b.solve(ctx, conn, rec, ref, keys, p); err != nil {
		return err
	}
	p.Phase("pushing the Dockerfile's image")
	return conn.Push(ctx, ref, keys, p)
}

// silent is the Progress of nobody.
type silent struct{}

func (silent) Phase(string)  {}
func (silent) Detail(string) {}

// invalid is an error of the request.
func invalid(cause error, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if cause == nil {
		return fmt.Errorf("%w: %s", driver.ErrInvalid, text)
	}
	return fmt.Errorf("%w: %s: %w", driver.ErrInvalid, text, cause)
}

// host is the registry in a repository's name.
func host(repository string) string {
	first, _, _ := strings.Cut(repository, "/")
	return first
}

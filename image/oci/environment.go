package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/image/driver"
)

// environment finds the environment in the registry, or brings it there.
func (j *job) environment(ctx context.Context) (env picture, reused bool, err error) {
	if j.r.Rebuild {
		env, err = j.buildEnvironment(ctx)
		return env, false, err
	}
	local := j.cache.load("environments", j.key, &env)
	if local {
		digest, found, err := j.dst.head(ctx, j.envTag())
		if err != nil {
			return env, false, err
		}
		if found && digest == env.digest() {
			j.p.Detail("environment unchanged")
			return env, true, nil
		}
		if !found {
			env, err = j.restore(ctx, env)
			return env, err == nil, err
		}
	}
	if env, found, err := j.fetch(ctx); err != nil || found {
		return env, found, err
	}
	env, err = j.buildEnvironment(ctx)
	return env, false, err
}

func (j *job) envTag() string { return driver.EnvironmentTag + j.key }

// fetch reads an environment that somebody has built before.
func (j *job) fetch(ctx context.Context) (picture, bool, error) {
	d, found, err := j.dst.manifest(ctx, j.envTag())
	if err != nil || !found || !d.kind.IsImage() {
		return picture{}, false, err
	}
	env := picture{Manifest: d.raw, Kind: d.kind}
	var m v1.Manifest
	if err := json.Unmarshal(d.raw, &m); err != nil {
		return picture{}, false, nil
	}
	if env.Config, err = j.dst.small(ctx, m.Config.Digest.String()); err != nil {
		j.log.Debug("environment in the registry is incomplete", "key", j.key, "error", err)
		return picture{}, false, nil
	}
	j.p.Detail("environment found in the registry")
	j.keep(env)
	return env, true, nil
}

func (j *job) keep(env picture) {
	if err := j.cache.save("environments", j.key, env); err != nil {
		j.log.Debug("image cache can't be written", "error", err)
	}
	j.cache.age()
}

// restore pushes a known environment to a registry that lacks it, from the layers in the cache; if some are gone, it
// is built again.
func (j *job) restore(ctx context.Context, env picture) (picture, error) {
	m, c, err := env.parse()
	if err != nil || len(m.Layers) != len(c.RootFS.DiffIDs) {
		return j.buildEnvironment(ctx)
	}
	d, _, err := j.base.read(ctx, j.r.Platform)
	if err != nil {
		return env, err
	}
	var under v1.Manifest
	if err := json.Unmarshal(d.raw, &under); err != nil || len(under.Layers) > len(m.Layers) {
		return j.buildEnvironment(ctx)
	}
	blobs := j.baseBlobs(under.Layers)
	for _, desc := range m.Layers[len(under.Layers):] {
		l, ok := j.cache.find(layer{Digest: desc.Digest, Size: desc.Size})
		if !ok {
			return j.buildEnvironment(ctx)
		}
		blobs = append(blobs, blob{what: "a layer of the environment", digest: l.Digest.String(), size: l.Size, open: l.open})
	}
	j.p.Phase("pushing the environment")
	meter := j.meter()
	g, gctx := errgroup.WithContext(ctx)
	for _, b := range blobs {
		g.Go(func() error { return meter.upload(gctx, b) })
	}
	if err := g.Wait(); err != nil {
		return env, err
	}
	return env, j.publish(ctx, env)
}

// publish makes an environment, whose layers are all there, findable.
func (j *job) publish(ctx context.Context, env picture) error {
	m, _, err := env.parse()
	if err != nil {
		return err
	}
	if err := j.dst.upload(ctx, configBlob(m.Config, env.Config, false), func(int64) {}); err != nil {
		return err
	}
	if err := j.dst.putManifest(ctx, j.envTag(), env.document()); err != nil {
		return err
	}
	j.keep(env)
	return nil
}

// buildEnvironment makes the layers and pushes each as soon as it is ready, while the base's layers are mounted or
// moved.
func (j *job) buildEnvironment(ctx context.Context) (picture, error) {
	j.p.Phase("reading base image " + j.r.Base)
	d, config, err := j.base.read(ctx, j.r.Platform)
	if err != nil {
		return picture{}, err
	}
	if err := j.base.suits(config, j.r.Platform, j.r.Python); err != nil {
		return picture{}, err
	}
	if err := j.base.takes(d.kind, j.options.Compression); err != nil {
		return picture{}, err
	}
	var under v1.Manifest
	if err := json.Unmarshal(d.raw, &under); err != nil {
		return picture{}, invalid(err, "base image %s has an unreadable manifest", j.r.Base)
	}
	meter := j.meter()
	var wheels, files []named
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return j.moveBase(gctx, under.Layers, meter) })
	g.Go(func() error {
		made, err := j.dependencies(gctx, meter, len(under.Layers))
		wheels = made
		return err
	})
	g.Go(func() error {
		made, err := j.filesLayer(gctx, meter)
		files = made
		return err
	})
	if err := g.Wait(); err != nil {
		return picture{}, err
	}
	env, err := onBase(d, config, append(wheels, files...), j.r)
	if err != nil {
		return picture{}, err
	}
	return env, j.publish(ctx, env)
}

func (j *job) moveBase(ctx context.Context, layers []v1.Descriptor, meter *uploadMeter) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, b := range j.baseBlobs(layers) {
		g.Go(func() error { return meter.upload(ctx, b) })
	}
	return g.Wait()
}

// baseBlobs are the base's layers: mounted if they are on the same registry, streamed through if not.
func (j *job) baseBlobs(layers []v1.Descriptor) []blob {
	var out []blob
	seen := map[string]bool{}
	for _, d := range layers {
		digest := d.Digest.String()
		if seen[digest] {
			continue
		}
		seen[digest] = true
		b := blob{what: "a layer of the base image", digest: digest, size: d.Size}
		if j.base.same {
			b.from = j.base.ref.Context().RepositoryStr()
		}
		b.open = func(ctx context.Context, from int64) (io.ReadCloser, error) { return j.base.open(ctx, d, from) }
		out = append(out, b)
	}
	return out
}

// uploadMeter uploads and tells how much of it is done.
type uploadMeter struct {
	j *job
	// slots bounds how many blobs move at a time.
	slots chan struct{}

	mu    sync.Mutex
	done  int64
	total int64
	began time.Time
	told  time.Time
}

func (j *job) meter() *uploadMeter {
	return &uploadMeter{j: j, slots: make(chan struct{}, parallel), told: j.options.Now()}
}

// upload brings one blob; only bytes that really move are told of.
func (m *uploadMeter) upload(ctx context.Context, b blob) error {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var began time.Time
	err := m.j.dst.upload(ctx, b, func(n int64) {
		if began.IsZero() {
			began = m.j.options.Now()
			m.grow(b.size)
		}
		m.moved(n)
	})
	if err == nil && !began.IsZero() && b.size >= bigLayer {
		m.j.p.Note(fmt.Sprintf("pushed %s: %s", b.what, pace(b.size, m.j.options.Now().Sub(began))))
	}
	if err != nil && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a layer vanished from the image cache while it was pushed: try again: %w", err)
	}
	return err
}

// bigLayer is the size from which a layer that was pushed has a line of its own.
const bigLayer = 8 << 20

// pace says how much moved in which time.
func pace(size int64, took time.Duration) string {
	text := fmt.Sprintf("%.1f MB in %.1fs", float64(size)/1e6, took.Seconds())
	if took > 0 {
		text += fmt.Sprintf(", %.1f MB/s", float64(size)/1e6/took.Seconds())
	}
	return text
}

func (m *uploadMeter) grow(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.total == 0 {
		m.began = m.j.options.Now()
	}
	m.total += n
}

func (m *uploadMeter) moved(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	now := m.j.options.Now()
	if now.Sub(m.told) < 500*time.Millisecond && m.done < m.total || n <= 0 || m.total < 1<<20 {
		return
	}
	m.told = now
	m.j.p.Detail(fmt.Sprintf("uploaded %d of %d MB, %.1f MB/s", m.done>>20, m.total>>20,
		float64(m.done)/1e6/max(now.Sub(m.began).Seconds(), 1e-3)))
}

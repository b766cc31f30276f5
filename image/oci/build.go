package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/image/driver"
)

// parallel is how many blobs move at a time.
const parallel = 6

// job is one build.
type job struct {
	*Builder
	r     driver.Request
	p     *progress
	temp  string
	dst   *registry
	base  *base
	parts parts
	// wanted is what is to be installed.
	wanted wanted
	key    string
	// code is nil if the image has none.
	code *layer
	// bytecode says that there is a Python here that compiles for the target.
	bytecode bool
	// builds says that some packages have no wheel, and are built from source.
	builds bool
}

// pushed is the cache's memory of what a tag was last made to be.
type pushed struct {
	Digest string `json:"digest"`
}

// Build makes the image and pushes it. What is in the registry already isn't made or moved again.
func (b *Builder) Build(ctx context.Context, r driver.Request, p driver.Progress) (driver.Image, error) {
	build := b.build
	switch first, _, several := strings.Cut(r.Platform, ","); {
	case several && r.Ready:
		r.Platform = first // an index that is there stands for all of them
	case several:
		build = b.buildIndex
	}
	img, err := build(ctx, r, p)
	return img, b.full(err)
}

func (b *Builder) build(ctx context.Context, r driver.Request, p driver.Progress) (driver.Image, error) {
	if err := refuse(r.Recipe); err != nil {
		return driver.Image{}, err
	}
	temp, remove, err := b.cache.temp()
	if err != nil {
		return driver.Image{}, err
	}
	defer remove()
	r.Files = merged(r.Files, r.PlatformFiles[r.Platform])
	j := &job{Builder: b, r: r, p: &progress{p: p}, temp: temp}
	if r.Ready {
		return j.ready(ctx)
	}
	if err := j.prepare(ctx); err != nil {
		return driver.Image{}, err
	}
	img, err := j.run(ctx)
	if err != nil {
		return driver.Image{}, explain(err, j.dst.repo, "push to")
	}
	return img, nil
}

// refuse refuses what takes a container engine.
func refuse(r driver.Recipe) error {
	wanted := "apt_packages"
	switch {
	case r.Empty():
		return nil
	case r.Dockerfile != "":
		wanted = "dockerfile"
	}
	return invalid(nil, "%s needs a container engine, which the image builder flavor oci does without: register one with "+
		"`proa image-builder register docker --flavor=docker`, or with `--flavor=buildkit --kubernetes_context=CONTEXT` where there "+
		"is no Docker, and `proa stack update --image-builder=docker`", wanted)
}

// prepare learns, all at once, what the registry, the base, the files and the code are.
func (j *job) prepare(ctx context.Context) error {
	repo, err := j.repository(j.r.Repository)
	if err != nil {
		return err
	}
	ref, err := j.baseReference(j.r.Base, repo)
	if err != nil {
		return err
	}
	if j.wanted, err = j.wants(); err != nil {
		return err
	}
	j.p.Detail("checking the base image and the code") // in passing: a warm build has no phases
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return j.reach(ctx, repo, ref) })
	g.Go(func() error {
		j.bytecode = j.compiles(ctx)
		found, err := j.findParts(ctx, j.r.Files)
		j.parts = found
		return err
	})
	g.Go(func() error {
		code, err := j.packCode(ctx, j.options.Compression)
		j.code = code
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	j.key = j.buildKey()
	return nil
}

func (j *job) reach(ctx context.Context, repo name.Repository, ref name.Reference) (err error) {
	var from []name.Repository
	if ref.Context().RegistryStr() == repo.RegistryStr() {
		from = append(from, ref.Context())
	}
	if j.dst, err = j.connect(ctx, repo, true, from...); err != nil {
		return err
	}
	j.base, err = j.knownBase(ctx, ref)
	return err
}

func (j *job) run(ctx context.Context) (driver.Image, error) {
	if !j.r.Rebuild {
		if img, ok, err := j.unchanged(ctx); err != nil || ok {
			return img, err
		}
	}
	env, reused, err := j.environment(ctx)
	if err != nil {
		return driver.Image{}, err
	}
	final, err := j.withCode(env)
	if err != nil {
		return driver.Image{}, err
	}
	err = j.push(ctx, env, final, true)
	if incomplete(err) {
		j.log.Debug("registry lost parts of an environment; building it again", "key", j.key)
		if env, err = j.buildEnvironment(ctx); err != nil {
			return driver.Image{}, err
		}
		if final, err = j.withCode(env); err != nil {
			return driver.Image{}, err
		}
		reused, err = false, j.push(ctx, env, final, false)
	}
	if err != nil {
		return driver.Image{}, err
	}
	j.attach(ctx, env, final)
	j.note(ctx)
	j.remember(final)
	return j.image(final, reused), nil
}

func (j *job) image(final picture, reused bool) driver.Image {
	return driver.Image{Ref: j.dst.repo.Name() + "@" + final.digest(), Key: j.key, Reused: reused}
}

// unchanged finds that the tag is already what this request makes.
func (j *job) unchanged(ctx context.Context) (driver.Image, bool, error) {
	var env picture
	var last pushed
	if !j.cache.load("environments", j.key, &env) || !j.cache.load("pushed", j.tagKey(), &last) {
		return driver.Image{}, false, nil
	}
	final, err := j.withCode(env)
	if err != nil || final.digest() != last.Digest {
		return driver.Image{}, false, nil
	}
	got, ok, err := j.dst.head(ctx, j.r.Tag)
	if err != nil || !ok || got != last.Digest {
		return driver.Image{}, false, err
	}
	j.p.Detail("nothing changed")
	return j.image(final, true), true, nil
}

func (j *job) tagKey() string { return sum(j.dst.repo.Name() + ":" + j.r.Tag) }

func (j *job) remember(final picture) {
	if err := j.cache.save("pushed", j.tagKey(), pushed{Digest: final.digest()}); err != nil {
		j.log.Debug("image cache can't be written", "error", err)
	}
}

// fresh is the size up to which a code layer is sent without asking whether the registry has it.
const fresh = 4 << 20

// push brings the code, the config and, last, the manifest.
func (j *job) push(ctx context.Context, env, final picture, trust bool) error {
	what := "the image"
	if j.code != nil {
		what = "the code"
	}
	tell := j.p.Phase
	if j.code == nil || j.code.Size < fresh {
		tell = j.p.Detail // it is done in no time
	}
	tell("pushing " + what)
	g, gctx := errgroup.WithContext(ctx)
	if j.code != nil {
		g.Go(func() error {
			b := blob{what: "code", digest: j.code.Digest.String(), size: j.code.Size, open: j.code.open, fresh: trust && j.code.Size < fresh}
			return j.meter().upload(gctx, b)
		})
	}
	m, _, err := final.parse()
	if err != nil {
		return err
	}
	if !trust || string(final.Config) != string(env.Config) {
		g.Go(func() error { return j.dst.upload(gctx, configBlob(m.Config, final.Config, trust), func(int64) {}) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return j.dst.putManifest(ctx, j.r.Tag, final.document())
}

func configBlob(d v1.Descriptor, raw []byte, fresh bool) blob {
	return blob{digest: d.Digest.String(), size: d.Size, open: inMemory(raw), fresh: fresh}
}

// incomplete says that the registry lacks a blob that a manifest names.
func incomplete(err error) bool {
	var terr *transport.Error
	if !errors.As(err, &terr) || terr.Request == nil || terr.Request.Method != http.MethodPut {
		return false
	}
	for _, d := range terr.Errors {
		if d.Code == transport.ManifestBlobUnknownErrorCode || d.Code == transport.BlobUnknownErrorCode {
			return true
		}
	}
	return false
}

func (j *job) path(name string) string { return filepath.Join(j.temp, name) }

// workers is how many layers are compressed at a time.
func workers() int { return max(runtime.GOMAXPROCS(0), 1) }

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

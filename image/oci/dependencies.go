package oci

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// dependencies makes and pushes the layers of the requirements, on a base of so many layers.
func (j *job) dependencies(ctx context.Context, meter *uploadMeter, below int) ([]named, error) {
	if j.wanted.empty() {
		return nil, nil
	}
	if !j.bytecode {
		j.p.Note(fmt.Sprintf("no Python %s on this machine to compile with: imports will be slower in the image", j.r.Python))
	}
	uv, err := j.uv(ctx)
	if err != nil {
		return nil, err
	}
	lock, err := j.resolve(ctx, uv)
	if err != nil {
		return nil, err
	}
	packs, err := j.provide(ctx, uv, j.members(lock), roomAbove(below))
	if err != nil {
		return nil, err
	}
	if err := j.pack(ctx, packs, meter); err != nil {
		return nil, err
	}
	out := make([]named, len(packs))
	for i, p := range packs {
		out[i] = named{layer: p.layer, what: p.what, contents: p.contents}
	}
	return out, nil
}

// provide installs what has to be packed. How packages are packed depends on their sizes, which are known only of those
// that were installed before; so it may take another look, and then some more.
func (j *job) provide(ctx context.Context, uv []string, members []*member, r room) ([]*pack, error) {
	for round := 0; ; round++ {
		packs := arrange(members, r, j.options.LargeWheel)
		var lacking []*member
		for _, p := range packs {
			if j.findPack(p); p.made {
				continue
			}
			for _, m := range p.of {
				if m.dist == nil {
					lacking = append(lacking, m)
				}
			}
		}
		if len(lacking) == 0 {
			return packs, nil
		}
		if err := j.install(ctx, uv, lacking, j.path(fmt.Sprintf("site%d", round))); err != nil {
			return nil, err
		}
	}
}

// install puts packages into a folder, compiles them, and says which files are whose.
func (j *job) install(ctx context.Context, uv []string, members []*member, root string) error {
	j.p.Phase("installing " + plural(len(members), "package"))
	lines := j.located(j.wanted.options)
	for _, m := range members {
		lines = append(lines, m.line())
	}
	file := root + ".txt"
	if err := writeLines(file, lines); err != nil {
		return err
	}
	argv := append(slices.Clone(uv), "pip", "install", "--target", root, "--no-deps", "--require-hashes",
		"--link-mode", "hardlink", "-r", file)
	argv = append(argv, j.wanted.args...)
	if _, err := j.command(ctx, j.temp, append(argv, j.target()...)...); err != nil {
		return j.explainUV(err, "install")
	}
	if j.bytecode {
		j.p.Phase("compiling " + plural(len(members), "package"))
		if err := j.compile(ctx, root, siteDir); err != nil {
			return err
		}
	}
	dists, err := j.divide(root)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.dist = dists[m.name]; m.dist == nil {
			return invalid(nil, "%s was resolved but not installed: is it a package with files?", m.pin)
		}
		m.size = m.dist.size
	}
	return nil
}

// pack makes the layers that the cache lacks, and pushes each as soon as it is there.
func (j *job) pack(ctx context.Context, packs []*pack, meter *uploadMeter) error {
	fresh := 0
	for _, p := range packs {
		if !p.made {
			fresh++
		}
	}
	switch what := plural(len(packs), "dependency layer"); fresh {
	case 0:
		j.p.Detail("all dependency layers are in the cache")
		j.p.Phase("pushing " + what)
	case len(packs):
		j.p.Phase("packing and pushing " + what)
	default:
		j.p.Phase(fmt.Sprintf("packing %d and pushing %s", fresh, what))
	}
	g, gctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, workers())
	for i, p := range packs {
		g.Go(func() error {
			if !p.made {
				slots <- struct{}{}
				l, err := j.newLayer(gctx, fmt.Sprintf("wheel%d", i), p.items())
				<-slots
				if err != nil {
					return err
				}
				p.layer, p.made = l, true
				j.record(p)
			}
			return meter.upload(gctx, blob{what: p.what, digest: p.layer.Digest.String(), size: p.layer.Size, open: p.layer.open})
		})
	}
	return g.Wait()
}

func sitePath(root, name string) string { return filepath.Join(root, filepath.FromSlash(name)) }

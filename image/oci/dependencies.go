package oci

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// entry is what the cache knows of a resolved package: the layer it has for itself if it is a large one.
type entry struct {
	// Layer is nil for a small package.
	Layer *layer `json:"layer,omitempty"`
}

// dependencies makes and pushes the layers of the requirements: one for each large package, one for all others.
func (j *job) dependencies(ctx context.Context, meter *uploadMeter) ([]named, error) {
	if j.wanted.empty() {
		return nil, nil
	}
	if !j.bytecode {
		j.p.Detail(fmt.Sprintf("no Python %s on this machine to compile with: imports will be slower in the image", j.r.Python))
	}
	uv, err := j.uv(ctx)
	if err != nil {
		return nil, err
	}
	lock, err := j.resolve(ctx, uv)
	if err != nil {
		return nil, err
	}
	layers, ok := j.cachedLayers(lock)
	if ok {
		j.p.Detail("all dependency layers are in the cache")
		return layers, j.uploadAll(ctx, layers, meter)
	}
	dists, err := j.install(ctx, uv, j.missing(lock))
	if err != nil {
		return nil, err
	}
	return j.makeLayers(ctx, lock, dists, meter)
}

// entryKey names a package's layer by everything that its bytes follow from.
func (j *job) entryKey(l locked) string {
	return sum(fmt.Sprintf("%d\n%s\n%s\n%s\n%v\n%d", layout, l.line(), pythonPlatform(j.r.Platform, j.r.Base), j.r.Python,
		j.bytecode, j.options.LargeWheel))
}

func (j *job) groupKey(small []locked) string {
	keys := make([]string, len(small))
	for i, l := range small {
		keys[i] = j.entryKey(l)
	}
	slices.Sort(keys)
	return sum("group\n" + strings.Join(keys, "\n"))
}

// cachedLayers returns the layers of a resolution if all of them are in the cache.
func (j *job) cachedLayers(lock []locked) ([]named, bool) {
	var large []named
	var small []locked
	for _, l := range lock {
		var e entry
		if !j.cache.load("entries", j.entryKey(l), &e) {
			return nil, false
		}
		if e.Layer == nil {
			small = append(small, l)
			continue
		}
		found, ok := j.cache.find(*e.Layer)
		if !ok {
			return nil, false
		}
		large = append(large, named{layer: found, what: l.label()})
	}
	if len(small) == 0 {
		return large, true
	}
	var group layer
	if !j.cache.load("groups", j.groupKey(small), &group) {
		return nil, false
	}
	found, ok := j.cache.find(group)
	return append(large, named{layer: found, what: smallLabel(len(small)), contents: labels(small)}), ok
}

// labels lists packages.
func labels(lock []locked) string {
	out := make([]string, len(lock))
	for i, l := range lock {
		out[i] = l.label()
	}
	return strings.Join(out, ", ")
}

func smallLabel(n int) string { return plural(n, "small package") }

// missing are the packages that have to be installed: all but the large ones whose layers are in the cache.
func (j *job) missing(lock []locked) []locked {
	var out []locked
	for _, l := range lock {
		if _, ok := j.cachedLarge(l); !ok {
			out = append(out, l)
		}
	}
	return out
}

func (j *job) cachedLarge(l locked) (layer, bool) {
	var e entry
	if !j.cache.load("entries", j.entryKey(l), &e) || e.Layer == nil {
		return layer{}, false
	}
	return j.cache.find(*e.Layer)
}

// install puts packages into a folder, compiles them, and says which files are whose.
func (j *job) install(ctx context.Context, uv []string, lock []locked) (map[string]*dist, error) {
	j.p.Phase("installing " + plural(len(lock), "package"))
	lines := j.located(j.wanted.options)
	for _, l := range lock {
		lines = append(lines, l.line())
	}
	file, root := j.path("lock.txt"), j.path("site")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("installing the requirements: %w", err)
	}
	argv := append(slices.Clone(uv), "pip", "install", "--target", root, "--no-deps", "--require-hashes",
		"--link-mode", "hardlink", "-r", file)
	argv = append(argv, j.wanted.args...)
	if _, err := j.command(ctx, j.temp, append(argv, j.target()...)...); err != nil {
		return nil, j.explainUV(err, "install")
	}
	if j.bytecode {
		j.p.Phase("compiling " + plural(len(lock), "package"))
		if err := j.compile(ctx, root, siteDir); err != nil {
			return nil, err
		}
	}
	return j.divide(root)
}

// makeLayers compresses and pushes what was installed, and takes the rest from the cache.
func (j *job) makeLayers(ctx context.Context, lock []locked, dists map[string]*dist, meter *uploadMeter) ([]named, error) {
	j.p.Phase("packing and pushing " + plural(len(lock), "package"))
	var work []*pack
	group := &pack{}
	for _, l := range lock {
		d := dists[l.name]
		switch {
		case d == nil:
			found, ok := j.cachedLarge(l)
			if !ok {
				return nil, invalid(nil, "%s was resolved but not installed: is it a package with files?", l.pin)
			}
			work = append(work, &pack{what: l.label(), layer: found})
		case d.size >= j.options.LargeWheel:
			work = append(work, &pack{what: l.label(), items: d.items, of: []locked{l}, large: true})
		default:
			group.items, group.of = append(group.items, d.items...), append(group.of, l)
		}
	}
	if len(group.of) > 0 {
		group.what, group.contents = smallLabel(len(group.of)), labels(group.of)
		work = append(work, group)
	}
	if err := j.pack(ctx, work, meter); err != nil {
		return nil, err
	}
	var out []named
	for _, w := range work {
		out = append(out, named{layer: w.layer, what: w.what, contents: w.contents})
	}
	return out, nil
}

// pack is one layer to make.
type pack struct {
	what, contents string

	of    []locked
	large bool
	items []item
	layer layer
}

func (j *job) pack(ctx context.Context, work []*pack, meter *uploadMeter) error {
	g, gctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, workers())
	for i, w := range work {
		g.Go(func() error {
			if len(w.of) > 0 {
				slots <- struct{}{}
				l, err := j.newLayer(gctx, fmt.Sprintf("wheel%d", i), w.items)
				<-slots
				if err != nil {
					return err
				}
				w.layer = l
				j.record(w)
			}
			return meter.upload(gctx, blob{digest: w.layer.Digest.String(), size: w.layer.Size, open: w.layer.open})
		})
	}
	return g.Wait()
}

// record remembers a layer for the next environment that needs it.
func (j *job) record(w *pack) {
	if !w.large {
		for _, l := range w.of {
			_ = j.cache.save("entries", j.entryKey(l), entry{})
		}
		_ = j.cache.save("groups", j.groupKey(w.of), w.layer)
		return
	}
	_ = j.cache.save("entries", j.entryKey(w.of[0]), entry{Layer: &w.layer})
}

func (j *job) uploadAll(ctx context.Context, layers []named, meter *uploadMeter) error {
	j.p.Phase("pushing " + plural(len(layers), "dependency layer"))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, l := range layers {
		g.Go(func() error {
			return meter.upload(gctx, blob{digest: l.Digest.String(), size: l.Size, open: l.open})
		})
	}
	return g.Wait()
}

func sitePath(root, name string) string { return filepath.Join(root, filepath.FromSlash(name)) }

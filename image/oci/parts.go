package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// parts are proa's own files in an image: the launcher and the SDK.
type parts struct {
	items  []item
	digest string
}

// findParts lists the files and sums up their content.
func (b *Builder) findParts(ctx context.Context, files map[string]string) (parts, error) {
	var out parts
	total := sha256.New()
	for _, target := range slices.Sorted(maps.Keys(files)) {
		items, err := listPart(strings.TrimPrefix(path.Clean(target), "/"), files[target])
		if err != nil {
			return parts{}, fmt.Errorf("reading %s, which goes into every image as %s: %w", files[target], target, err)
		}
		for _, it := range items {
			if err := ctx.Err(); err != nil {
				return parts{}, err
			}
			content, err := b.fileSum(it.source)
			if err != nil {
				return parts{}, fmt.Errorf("reading what goes into the image: %w", err)
			}
			fmt.Fprintf(total, "%q %v %s\n", it.name, it.exec, content)
		}
		out.items = append(out.items, items...)
	}
	out.digest = hex.EncodeToString(total.Sum(nil))
	return out, nil
}

func listPart(target, source string) ([]item, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []item{{name: target, source: source, size: info.Size(), exec: info.Mode()&0o111 != 0}}, nil
	}
	var out []item
	err = filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(file, ".pyc") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		out = append(out, item{name: path.Join(target, filepath.ToSlash(rel)), source: file, size: info.Size(),
			exec: info.Mode()&0o111 != 0})
		return nil
	})
	return out, err
}

// fileSum hashes a file. The sums of big files are remembered by path, size and time.
func (b *Builder) fileSum(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	stamp := fmt.Sprintf("%s %d %d", file, info.Size(), info.ModTime().UnixNano())
	var known string
	big := info.Size() > 4<<20
	if big && b.cache.load("sums", sum(stamp), &known) && len(known) == 64 {
		return known, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	known = hex.EncodeToString(h.Sum(nil))
	if big {
		_ = b.cache.save("sums", sum(stamp), known)
	}
	return known, nil
}

// filesLayer makes and pushes the layer of proa's own files, its Python compiled.
func (j *job) filesLayer(ctx context.Context, meter *uploadMeter) ([]named, error) {
	if len(j.parts.items) == 0 {
		return nil, nil
	}
	// An image without code has the working directory nevertheless.
	items := append(slices.Clone(j.parts.items), item{name: strings.TrimPrefix(codeDir, "/"), dir: true})
	if j.bytecode {
		compiled, err := j.compileParts(ctx)
		if err != nil {
			return nil, err
		}
		items = append(items, compiled...)
	}
	l, err := j.newLayer(ctx, "files", items)
	if err != nil {
		return nil, err
	}
	err = meter.upload(ctx, blob{what: "launcher and SDK", digest: l.Digest.String(), size: l.Size, open: l.open})
	return []named{{layer: l, what: "launcher and SDK"}}, err
}

// compileParts compiles a copy of the Python files; the originals' folder isn't ours to write to.
func (j *job) compileParts(ctx context.Context) ([]item, error) {
	root := j.path("parts")
	var out []item
	for _, it := range j.parts.items {
		if !strings.HasSuffix(it.name, ".py") {
			continue
		}
		if err := copyFile(filepath.Join(root, filepath.FromSlash(it.name)), it.source); err != nil {
			return nil, fmt.Errorf("compiling the SDK: %w", err)
		}
		out = append(out, item{name: it.name})
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := j.compile(ctx, root, "/"); err != nil {
		return nil, err
	}
	var compiled []item
	for _, it := range out {
		if pyc, ok := j.bytecodeOf(root, it.name); ok {
			compiled = append(compiled, pyc)
		}
	}
	return compiled, nil
}

func copyFile(target, source string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return os.WriteFile(target, data, 0o600)
}

// newLayer writes a layer and moves it into the cache.
func (j *job) newLayer(ctx context.Context, name string, items []item) (layer, error) {
	l, err := writeLayer(ctx, j.path(name+".layer"), j.options.Compression, items)
	if err != nil {
		return layer{}, err
	}
	return j.cache.addBlob(l)
}

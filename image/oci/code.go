package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proa-ml/proa/image/driver"
)

// muchCode is the size from which the user is told what makes his code that large.
const muchCode = 50 << 20

// packCode makes the layer of the user's code; nil if there is none. Nothing is compiled: starting Python for it takes
// longer than importing a pipeline's few files without bytecode.
func (j *job) packCode(ctx context.Context, compression string) (*layer, error) {
	if j.r.Code == "" {
		return nil, nil
	}
	items, err := j.listCode(ctx)
	if err != nil {
		return nil, err
	}
	j.tellOfSize(items)
	l, err := writeLayer(ctx, j.path("code.layer"), compression, items)
	if errors.Is(err, fs.ErrPermission) {
		return nil, invalid(err, "the code can't be read: give yourself the right to, or list the file in .proaignore")
	}
	if err != nil {
		return nil, err
	}
	return &l, nil
}

var _ driver.Packer = (*Builder)(nil)

// Pack implements driver.Packer: the archive is what the code's layer would be, kept in the cache.
func (b *Builder) Pack(ctx context.Context, r driver.Request, p driver.Progress) (driver.Archive, error) {
	temp, remove, err := b.cache.temp()
	if err != nil {
		return driver.Archive{}, b.full(err)
	}
	defer remove()
	j := &job{Builder: b, r: r, p: &progress{p: p}, temp: temp}
	code, err := j.packCode(ctx, Gzip)
	if err != nil {
		return driver.Archive{}, b.full(err)
	}
	kept, err := b.cache.addBlob(*code)
	if err != nil {
		return driver.Archive{}, b.full(err)
	}
	return driver.Archive{Path: kept.path, Digest: kept.Digest.String(), Size: kept.Size}, nil
}

// walk lists a folder of code.
type walk struct {
	root  string
	rules ignore
	items []item
	note  func(string)
}

func (j *job) listCode(ctx context.Context) ([]item, error) {
	root, err := filepath.EvalSymlinks(j.r.Code)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return nil, invalid(err, "the code's folder %s can't be read", j.r.Code)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, invalid(err, "the code's folder %s is not a folder", j.r.Code)
	}
	own := j.r.Ignore
	if own != "" {
		own = j.project(own)
	}
	rules, err := readIgnore(root, own)
	if err != nil {
		return nil, err
	}
	w := &walk{root: root, rules: rules, note: j.p.Note}
	top := strings.TrimPrefix(codeDir, "/")
	w.items = append(w.items, item{name: top, dir: true})
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return w.visit(file, d, err)
	})
	return w.items, err
}

func (w *walk) visit(file string, d fs.DirEntry, err error) error {
	if file == w.root && err == nil {
		return nil
	}
	rel, rerr := filepath.Rel(w.root, file)
	if rerr != nil {
		return rerr
	}
	rel = filepath.ToSlash(rel)
	skip := forbidden(path.Base(rel)) || w.rules.ignored(rel)
	switch {
	case skip && d != nil && d.IsDir() && (forbidden(path.Base(rel)) || !w.rules.reaches):
		return fs.SkipDir
	case skip:
		return nil
	case err != nil:
		return invalid(err, "%s can't be read: give yourself the right to, or list it in .proaignore", file)
	}
	return w.take(file, rel, d)
}

func (w *walk) take(file, rel string, d fs.DirEntry) error {
	name := strings.TrimPrefix(codeDir, "/") + "/" + rel
	switch {
	case d.IsDir():
		if _, err := os.Lstat(filepath.Join(file, "pyvenv.cfg")); err == nil {
			return fs.SkipDir
		}
		w.items = append(w.items, item{name: name, dir: true})
	case d.Type()&fs.ModeSymlink != 0:
		return w.link(file, rel, name)
	case d.Type().IsRegular():
		info, err := d.Info()
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return invalid(err, "%s can't be read", file)
		}
		w.items = append(w.items, item{name: name, source: file, size: info.Size(), exec: info.Mode()&0o111 != 0})
	default:
		w.note(fmt.Sprintf("left out %s: it is neither a file nor a folder", rel))
	}
	return nil
}

// link keeps a link that stays within the code; an absolute one is made relative.
func (w *walk) link(file, rel, name string) error {
	target, err := os.Readlink(file)
	if err != nil {
		return invalid(err, "%s can't be read", file)
	}
	if filepath.IsAbs(target) {
		if target, err = filepath.Rel(filepath.Dir(file), target); err != nil {
			return invalid(err, "%s can't be read", file)
		}
	}
	target = filepath.ToSlash(target)
	if end := path.Join(path.Dir(rel), target); end == ".." || strings.HasPrefix(end, "../") {
		w.note(fmt.Sprintf("left out %s: it is a link to outside of the code's folder", rel))
		return nil
	}
	w.items = append(w.items, item{name: name, link: target})
	return nil
}

// tellOfSize names the largest files of code that is surprisingly large.
func (j *job) tellOfSize(items []item) {
	var total int64
	for _, it := range items {
		total += it.size
	}
	if total < muchCode {
		return
	}
	largest := slices.Clone(items)
	slices.SortFunc(largest, func(a, b item) int { return int(min(max(b.size-a.size, -1), 1)) })
	var names []string
	for _, it := range largest[:min(3, len(largest))] {
		names = append(names, fmt.Sprintf("%s (%d MB)", strings.TrimPrefix(it.name, "app/"), it.size>>20))
	}
	j.p.Note(fmt.Sprintf("the code is %d MB; the largest files are %s: list what steps don't need in .proaignore",
		total>>20, strings.Join(names, ", ")))
}

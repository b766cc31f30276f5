package launcher

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// fetchCode unpacks the step's code, if it is in the artifact store, and makes it what the runner imports.
func (l *launcher) fetchCode(ctx context.Context) error {
	if l.inv.Code == "" {
		return nil
	}
	dir := l.work.path("code")
	err := l.persist(ctx, func() error {
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return err
		}
		return l.unpackCode(ctx, dir)
	})
	if errors.Is(err, artifact.ErrNotFound) {
		return fmt.Errorf("the step's code is gone from the artifact store: %w", err)
	}
	if err != nil {
		return fmt.Errorf("fetching the step's code: %w", err)
	}
	l.inv.Dir = filepath.Join(dir, step.CodeFolder)
	return nil
}

// unpackCode reads the archive to its end before anything in it is believed.
func (l *launcher) unpackCode(ctx context.Context, dir string) (err error) {
	body, err := l.store.Reader(ctx, step.CodeKey(l.inv.Code))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	sum := sha256.New()
	source := io.TeeReader(body, sum)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := unpack(source, root); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, source); err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != l.inv.Code {
		return fmt.Errorf("the archive has the digest %s, not %s", got, l.inv.Code)
	}
	return nil
}

// unpack writes a compressed archive below a folder, which nothing in it can leave.
func unpack(source io.Reader, root *os.Root) error {
	packed, err := gzip.NewReader(source)
	if err != nil {
		return err
	}
	archive := tar.NewReader(packed)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackOne(root, h, archive); err != nil {
			return fmt.Errorf("unpacking %s: %w", h.Name, err)
		}
	}
}

func unpackOne(root *os.Root, h *tar.Header, content io.Reader) error {
	name := strings.TrimSuffix(h.Name, "/")
	if parent := path.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o700); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o700)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, os.FileMode(h.Mode)&0o700|0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	}
	return fmt.Errorf("it is of the unexpected type %q", h.Typeflag)
}

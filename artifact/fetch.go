package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/step"
)

// fetchAttempts is how often a blob is read whose transfer breaks off.
const fetchAttempts = 3

// Fetch writes the artifact with that digest to the folder dir, which must not exist or be empty. Everything is checked
// against its digest, and the folder appears at once, when it is complete.
func (s *Store) Fetch(ctx context.Context, digest, dir string) (step.Manifest, error) {
	m, err := s.fetch(ctx, digest, dir)
	if err != nil {
		return step.Manifest{}, fmt.Errorf("fetching artifact %s: %w", digest, err)
	}
	return m, nil
}

func (s *Store) fetch(ctx context.Context, digest, dir string) (_ step.Manifest, err error) {
	m, err := s.manifest(ctx, digest)
	if err != nil {
		return m, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // a step may run as another user
		return m, err
	}
	temp, err := os.MkdirTemp(parent, ".fetch-*")
	if err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if err := os.Chmod(temp, 0o755); err != nil { //nolint:gosec // as above
		return m, err
	}
	if err := s.fetchFiles(ctx, m.Files, temp); err != nil {
		return m, err
	}
	// An empty folder has to go first; a full one can't.
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return m, err
	}
	return m, os.Rename(temp, dir)
}

func (s *Store) fetchFiles(ctx context.Context, files []step.File, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() // every file in it was closed
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel)
	for _, f := range files {
		folder := path.Dir(f.Path)
		if f.Dir {
			folder = f.Path
		}
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return errors.Join(err, group.Wait())
		}
		if f.Dir {
			continue
		}
		group.Go(func() error {
			if err := s.fetchFile(gctx, f, root); err != nil {
				return fmt.Errorf("file %q: %w", f.Path, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Store) fetchFile(ctx context.Context, f step.File, root *os.Root) error {
	var err error
	for range fetchAttempts {
		if err = s.fetchOnce(ctx, f, root); !Transient(err) {
			break
		}
	}
	return err
}

func (s *Store) fetchOnce(ctx context.Context, f step.File, root *os.Root) (err error) {
	content, err := s.content(ctx, f)
	if err != nil {
		return err
	}
	defer content.Close() // it was only read
	mode := os.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	file, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, verify(contextReader{ctx, content}, f.Digest))
	return errors.Join(err, file.Close())
}

// content opens what a file holds, from the manifest or from its blob.
func (s *Store) content(ctx context.Context, f step.File) (io.ReadCloser, error) {
	if !hasBlob(f) {
		return io.NopCloser(bytes.NewReader(f.Inline)), nil
	}
	key, err := BlobKey(f.Digest)
	if err != nil {
		return nil, err
	}
	return s.Reader(ctx, key)
}

// sumReader hashes what is read through it.
type sumReader struct {
	r    io.Reader
	hash hash.Hash
}

func newSum(r io.Reader) *sumReader { return &sumReader{r: r, hash: sha256.New()} }

func (s *sumReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	return n, err
}

func (s *sumReader) digest() string { return digestPrefix + hex.EncodeToString(s.hash.Sum(nil)) }

// verifyReader ends with ErrCorrupt, not with io.EOF, if what it read hasn't the expected digest.
type verifyReader struct {
	*sumReader
	want string
}

func verify(r io.Reader, digest string) io.Reader { return &verifyReader{newSum(r), digest} }

func (v *verifyReader) Read(p []byte) (int, error) {
	n, err := v.sumReader.Read(p)
	if errors.Is(err, io.EOF) {
		if got := v.digest(); got != v.want {
			return n, fmt.Errorf("blob %s has digest %s: %w", v.want, got, ErrCorrupt)
		}
	}
	return n, err
}

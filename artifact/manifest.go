package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

const digestPrefix = "sha256:"

// digestOf returns the digest of data.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// BlobKey returns the key of the blob with that digest.
func BlobKey(digest string) (string, error) {
	sum, ok := strings.CutPrefix(digest, digestPrefix)
	raw, err := hex.DecodeString(sum)
	if !ok || err != nil || len(raw) != sha256.Size || sum != strings.ToLower(sum) {
		return "", fmt.Errorf("%q is not a digest; it looks like sha256: and 64 hexadecimal digits", digest)
	}
	return "blobs/sha256/" + sum[:2] + "/" + sum, nil
}

// Manifest returns the manifest with that digest. ErrNotFound if there is no such artifact.
func (s *Store) Manifest(ctx context.Context, digest string) (step.Manifest, error) {
	m, err := s.manifest(ctx, digest)
	if err != nil {
		return step.Manifest{}, fmt.Errorf("reading artifact %s: %w", digest, err)
	}
	return m, nil
}

func (s *Store) manifest(ctx context.Context, digest string) (step.Manifest, error) {
	var m step.Manifest
	key, err := BlobKey(digest)
	if err != nil {
		return m, err
	}
	data, err := s.Get(ctx, key)
	if err != nil {
		return m, err
	}
	if got := digestOf(data); got != digest {
		return m, fmt.Errorf("the manifest in %s has digest %s: %w", s.place, got, ErrCorrupt)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("the blob is not a manifest: %w", err)
	}
	if m.APIVersion != spec.APIVersion {
		return m, fmt.Errorf("the manifest has version %q, and this proa knows %q", m.APIVersion, spec.APIVersion)
	}
	return m, checkFiles(m.Files)
}

// checkFiles refuses a manifest that could write outside of its folder.
func checkFiles(files []step.File) error {
	for _, f := range files {
		if !validPath(f.Path) {
			return fmt.Errorf("the manifest holds the path %q, which leaves the artifact's folder", f.Path)
		}
		if len(f.Inline) > 0 && int64(len(f.Inline)) != f.Size {
			return fmt.Errorf("the manifest says %d bytes for %q and holds %d: %w", f.Size, f.Path, len(f.Inline), ErrCorrupt)
		}
	}
	return nil
}

func validPath(path string) bool {
	return fs.ValidPath(path) && path != "." && !strings.ContainsAny(path, "\\\x00")
}

// hasBlob reports whether a file's content is a blob of its own.
func hasBlob(f step.File) bool { return !f.Dir && f.Size > 0 && len(f.Inline) == 0 }

// Exists reports whether the artifact is wholly there: its manifest, and every blob that it names with its right size.
func (s *Store) Exists(ctx context.Context, digest string) (bool, error) {
	m, err := s.Manifest(ctx, digest)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var missing atomic.Bool
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * s.parallel)
	for _, f := range m.Files {
		if !hasBlob(f) || missing.Load() {
			continue
		}
		group.Go(func() error {
			found, err := s.hasSize(gctx, f.Digest, f.Size)
			if err == nil && !found {
				missing.Store(true)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return false, fmt.Errorf("looking for artifact %s: %w", digest, err)
	}
	return !missing.Load(), nil
}

// hasSize reports whether a blob is there with its right size; a write that a crash of the machine tore has another.
func (s *Store) hasSize(ctx context.Context, digest string, size int64) (bool, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return false, err
	}
	is, _, err := s.sized(ctx, key, size)
	return is, err
}

// sized reports whether an object is there with that size, and when it was written.
func (s *Store) sized(ctx context.Context, key string, size int64) (is bool, written time.Time, err error) {
	attributes, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		err = s.wrap(ctx, fmt.Sprintf("looking for %q", key), err)
		if errors.Is(err, ErrNotFound) {
			return false, written, nil
		}
		return false, written, err
	}
	return attributes.Size == size, attributes.ModTime, nil
}

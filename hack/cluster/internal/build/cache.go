// Package build makes what the cluster runs, and keeps it in a cache directory under a key of everything it is made from.
package build

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
)

// A Cache is a directory of finished things. Any number of programs may use it at once.
type Cache struct {
	Dir string
	Say func(format string, args ...any) // tells what takes long
	Now func() time.Time
}

// make returns the directory of the thing kind-key, having it made by f in a directory of its own if it is not there. So what is
// there is whole, whatever became of those who made it. how tells why making it takes a while.
func (c Cache) make(ctx context.Context, kind, key, how string, f func(ctx context.Context, dir string) error) (string, error) {
	final := filepath.Join(c.Dir, kind+"-"+key)
	if _, err := os.Stat(final); err == nil {
		return final, os.Chtimes(final, time.Time{}, c.Now())
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	unlock, err := file.Lock(ctx, filepath.Join(c.Dir, kind+".lock"), func() { c.Say("another command makes the %s; waiting for it", kind) })
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	c.Say("making the %s: %s", kind, how)
	work := filepath.Join(c.Dir, kind+".making")
	if err := os.RemoveAll(work); err != nil {
		return "", fmt.Errorf("clearing an unfinished %s: %w", kind, err)
	}
	if err := os.Mkdir(work, 0o755); err != nil {
		return "", fmt.Errorf("making the %s: %w", kind, err)
	}
	if err := f(ctx, work); err != nil {
		return "", err
	}
	syscall.Sync() // for a name must not outlive a power failure that its content does not
	if err := os.Rename(work, final); err != nil {
		return "", fmt.Errorf("keeping the %s: %w", kind, err)
	}
	return final, c.prune(kind, final)
}

// prune keeps, of each kind, the thing in use and the two used last before it.
func (c Cache) prune(kind, current string) error {
	dirs, err := filepath.Glob(filepath.Join(c.Dir, kind+"-*"))
	if err != nil {
		return fmt.Errorf("looking for old things: %w", err)
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return dir == current })
	slices.SortFunc(dirs, func(a, b string) int { return modified(b).Compare(modified(a)) })
	for _, dir := range dirs[min(2, len(dirs)):] {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing an old %s: %w", kind, err)
		}
	}
	return nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Key returns a short digest of texts.
func Key(texts ...string) string {
	hash := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(hash, "%d\n%s", len(text), text)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))[:16]
}

// Package build makes what the cluster runs, and keeps it in a cache directory under a key of everything it is made from.
package build

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/debian"
	"github.com/proa-ml/proa/hack/cluster/internal/file"
	"github.com/proa-ml/proa/hack/cluster/internal/oci"
)

// KubernetesVersion is the version that the components say they are; go.mod pins the same.
const KubernetesVersion = "v1.34.4"

// A Cache is a directory of finished things. Any number of programs may use it at once.
type Cache struct {
	Dir string
}

// make returns the directory of the thing kind-key, having it made by f in a directory of its own if it is not there. So what is
// there is whole, whatever became of those who made it.
func (c Cache) make(ctx context.Context, kind, key string, f func(ctx context.Context, dir string) error) (string, error) {
	final := filepath.Join(c.Dir, kind+"-"+key)
	if _, err := os.Stat(final); err == nil {
		return final, os.Chtimes(final, time.Time{}, time.Now())
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	unlock, err := file.Lock(ctx, filepath.Join(c.Dir, kind+".lock"), func() {})
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
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

// SourceKey returns the key of a Go module's sources with the compiler and flags that build it.
func SourceKey(source string) (string, error) {
	texts := []string{runtime.Version(), runtime.GOARCH, strings.Join(flags(), " ")}
	for _, pattern := range []string{"go.mod", "go.sum", "*.go", "*/*.go"} {
		paths, err := filepath.Glob(filepath.Join(source, pattern))
		if err != nil {
			return "", fmt.Errorf("looking for sources: %w", err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("reading the sources: %w", err)
			}
			texts = append(texts, strings.TrimPrefix(path, source), string(content))
		}
	}
	return Key(texts...), nil
}

func flags() []string {
	return []string{"-mod=readonly", "-buildvcs=false", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion}
}

// Components builds the module at source: the binaries "components" and "pause" are in the directory returned.
func (c Cache) Components(ctx context.Context, source, key string) (string, error) {
	return c.make(ctx, "components", key, func(ctx context.Context, dir string) error {
		args := append([]string{"build", "-o", dir + "/"}, flags()...)
		command := exec.CommandContext(ctx, "go", append(args, ".", "./pause")...)
		command.Dir = source
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		output, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("building the components: %w\n%s", err, output)
		}
		return nil
	})
}

// Pause makes the image of a pod's sandbox.
func (c Cache) Pause(ctx context.Context, components, key string) (string, error) {
	return c.make(ctx, "pause", key, func(_ context.Context, dir string) error {
		root := filepath.Join(dir, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			return fmt.Errorf("making the sandbox image: %w", err)
		}
		if err := os.Link(filepath.Join(components, "pause"), filepath.Join(root, "pause")); err != nil {
			return fmt.Errorf("making the sandbox image: %w", err)
		}
		return oci.Write(dir, root, oci.Config{Entrypoint: []string{"/pause"}})
	})
}

// Python makes the Python base image, and returns its directory and Python's version.
func (c Cache) Python(ctx context.Context, apt *debian.Apt) (dir, version string, err error) {
	dir, err = c.make(ctx, "python", Key(debian.BaseRecipe(), runtime.GOARCH), func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			return fmt.Errorf("making the base image: %w", err)
		}
		base, err := apt.NewBase(ctx, work)
		if err != nil {
			return err
		}
		if err := oci.Write(dir, base.Root, pythonConfig(base.Version)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "version"), []byte(base.Version), 0o600); err != nil {
			return fmt.Errorf("making the base image: %w", err)
		}
		return os.RemoveAll(work)
	})
	if err != nil {
		return "", "", err
	}
	content, err := os.ReadFile(filepath.Join(dir, "version"))
	if err != nil {
		return "", "", fmt.Errorf("reading the version of the base image: %w", err)
	}
	return dir, string(content), nil
}

// pythonConfig is what the official Python images say of themselves.
func pythonConfig(version string) oci.Config {
	return oci.Config{
		Env: []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=" + version},
		Cmd: []string{"python3"},
	}
}

// Database makes an empty MariaDB data directory, to be copied.
func (c Cache) Database(ctx context.Context) (string, error) {
	version, err := exec.CommandContext(ctx, "mariadbd", "--no-defaults", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking MariaDB for its version: %w", err)
	}
	return c.make(ctx, "mysql", Key(string(version)), func(ctx context.Context, dir string) error {
		output, err := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+dir, "--user=root", "--skip-test-db",
			"--auth-root-authentication-method=normal", "--innodb-log-file-size=16M", "--innodb-fast-shutdown=0").CombinedOutput()
		if err != nil {
			return fmt.Errorf("making an empty database: %w\n%s", err, output)
		}
		return nil
	})
}

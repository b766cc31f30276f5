package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/proa-ml/proa/hack/cluster/internal/debian"
	"github.com/proa-ml/proa/hack/cluster/internal/oci"
)

// Python makes the Python base image, and returns its directory and Python's version.
func (c Cache) Python(ctx context.Context, apt *debian.Apt) (dir, version string, err error) {
	dir, err = c.make(ctx, "python", Key(debian.BaseRecipe(), runtime.GOARCH), "Debian packages are downloaded and unpacked", func(ctx context.Context, dir string) error {
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

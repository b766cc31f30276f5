package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/proa-ml/proa/hack/cluster/internal/debian"
)

// MySQL unpacks MySQL's own server, and returns its directory.
func (c Cache) MySQL(ctx context.Context, apt *debian.Apt) (string, error) {
	dir, err := c.make(ctx, "oracle-mysql", Key(debian.MySQLRecipe(), runtime.GOARCH), "65 MB of packages are downloaded", func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			return fmt.Errorf("making a directory for MySQL: %w", err)
		}
		root, err := apt.NewMySQL(ctx, work)
		if err != nil {
			return err
		}
		if err := os.Rename(root, filepath.Join(dir, "root")); err != nil {
			return fmt.Errorf("keeping MySQL: %w", err)
		}
		return os.RemoveAll(work)
	})
	return filepath.Join(dir, "root"), err
}

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

// MariaDB makes the image of a database server for pods, and returns its directory.
func (c Cache) MariaDB(ctx context.Context, apt *debian.Apt) (string, error) {
	return c.make(ctx, "mariadb", Key(debian.MariaDBRecipe(), runtime.GOARCH), "Debian packages are downloaded and unpacked", func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			return fmt.Errorf("making the MariaDB image: %w", err)
		}
		root, err := apt.NewMariaDB(ctx, work)
		if err != nil {
			return err
		}
		config := oci.Config{
			User: debian.MariaDBUser, Entrypoint: []string{debian.MariaDBEntrypoint},
			Env: []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"},
		}
		if err := oci.Write(dir, root, config); err != nil {
			return err
		}
		return os.RemoveAll(work)
	})
}

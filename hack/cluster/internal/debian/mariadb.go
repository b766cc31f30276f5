package debian

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// mariadbEntrypoint is what a container of the MariaDB image runs.
//
//go:embed mariadb.sh
var mariadbEntrypoint string

// MariaDBEntrypoint is its path in the image, MariaDBUser who it runs as: the same as in the official images.
const (
	MariaDBEntrypoint = "/usr/local/bin/docker-entrypoint.sh"
	MariaDBUser       = "999:999"
)

func mariadbPackages() []string {
	return []string{"mariadb-server-core", "mariadb-client-core"}
}

// MariaDBRecipe is a text that changes when the MariaDB image does.
func MariaDBRecipe() string {
	return recipe("mariadb 1\n"+mariadbEntrypoint, append(basePackages(), mariadbPackages()...)...)
}

// NewMariaDB makes the root of an image of the MariaDB server in the directory work, which must be empty.
func (a *Apt) NewMariaDB(ctx context.Context, work string) (root string, err error) {
	if root, err = a.newRoot(ctx, work, mariadbPackages(), nil); err != nil {
		return "", err
	}
	if err := addDatabaseUser(root); err != nil {
		return "", fmt.Errorf("finishing the MariaDB image: %w", err)
	}
	return root, nil
}

// addDatabaseUser names the server's user and makes the directories that it writes to. Any other user may write to them, too.
func addDatabaseUser(root string) error {
	for name, line := range map[string]string{
		"etc/passwd": "mysql:x:999:999:MariaDB:/var/lib/mysql:/usr/sbin/nologin\n",
		"etc/group":  "mysql:x:999:\n",
	} {
		path := filepath.Join(root, name)
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, append(content, line...), 0o644); err != nil {
			return err
		}
	}
	for _, name := range []string{"var/lib/mysql", "run/mysqld"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o777|fs.ModeSticky); err != nil {
			return err
		}
	}
	path := filepath.Join(root, MariaDBEntrypoint)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(mariadbEntrypoint), 0o755)
}

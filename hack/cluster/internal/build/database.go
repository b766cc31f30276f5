package build

import (
	"context"
	"fmt"
	"os/exec"
)

// Database makes an empty MariaDB data directory, to be copied.
func (c Cache) Database(ctx context.Context) (string, error) {
	version, err := exec.CommandContext(ctx, "mariadbd", "--no-defaults", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking MariaDB for its version: %w", err)
	}
	return c.make(ctx, "mysql", Key(string(version)), "MariaDB writes its system tables", func(ctx context.Context, dir string) error {
		output, err := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+dir, "--user=root", "--skip-test-db",
			"--auth-root-authentication-method=normal", "--innodb-log-file-size=16M", "--innodb-fast-shutdown=0").CombinedOutput()
		if err != nil {
			return fmt.Errorf("making an empty database: %w\n%s", err, output)
		}
		return nil
	})
}

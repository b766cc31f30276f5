package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/debian"
)

// oracleName is the server that is MySQL itself, beside the MariaDB that is called mysql. It is there if it can be had: Debian has
// it in a suite that changes every day.
const oracleName = "oracle-mysql"

// findOracle unpacks MySQL, or notes why there is none.
func (c *Cluster) findOracle(ctx context.Context, apt *debian.Apt, p *parts) error {
	root, err := c.cache.MySQL(ctx, apt)
	if err == nil {
		p.oracle, err = debian.MySQLCommand(root)
	}
	if err != nil && ctx.Err() == nil {
		p.noOracle, _, _ = strings.Cut(err.Error(), "\n")
		c.progress.Say("the cluster has no MySQL beside its MariaDB: %v", err)
		return nil
	}
	return err
}

// oracle is the server, if there is one. It speaks TLS as the other does, but clients without it get in, too: then its way to
// check a password (caching_sha2_password) is another than over TLS.
func (c *Cluster) oracle(f facts) []server {
	if len(f.Oracle) == 0 {
		return nil
	}
	s := c.state
	command := append(append([]string(nil), f.Oracle...), "--datadir="+s.data(oracleName), "--socket="+s.data(oracleName+".sock"),
		"--pid-file="+s.data(oracleName+".pid"), "--bind-address="+f.namespace(s).Node().String(), fmt.Sprintf("--port=%d", oraclePort),
		"--init-file="+s.config("mysql.sql"), "--skip-name-resolve", "--performance-schema=OFF", "--mysqlx=OFF", "--skip-log-bin",
		"--max-connections=100", "--table-open-cache=200", "--innodb-buffer-pool-size=64M", "--innodb-flush-method=nosync", "--innodb-doublewrite=OFF", "--innodb-flush-log-at-trx-commit=0",
		"--ssl-ca="+s.pki("ca.crt"), "--ssl-cert="+s.pki("mysql.crt"), "--ssl-key="+s.pki("mysql.key"))
	return []server{{name: oracleName, config: []string{s.config("mysql.sql")}, nice: 3, grace: 15 * time.Second,
		before: c.makeOracle, ready: c.oracleReady, command: command}}
}

// makeOracle makes the server's directory of data, which takes two seconds.
func (c *Cluster) makeOracle(ctx context.Context, f facts) error {
	final, work := c.state.data(oracleName), c.state.data(oracleName+".making")
	if _, err := os.Stat(final); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("removing what was left of a database: %w", err)
	}
	args := append(append([]string(nil), f.Oracle[1:]...), "--datadir="+work, "--initialize-insecure")
	if output, err := exec.CommandContext(ctx, f.Oracle[0], args...).CombinedOutput(); err != nil {
		return fmt.Errorf("making an empty database of MySQL: %w\n%s", err, output)
	}
	return os.Rename(work, final)
}

func (c *Cluster) oracleReady(ctx context.Context, f facts) error {
	return c.greeted(ctx, f, oraclePort)
}

// oracleVariables tell tests where the server is, or why there is none.
func oracleVariables(f facts) []Variable {
	if len(f.Oracle) == 0 {
		return []Variable{{"PROA_TEST_ORACLE_MYSQL_MISSING", f.NoOracle}}
	}
	return []Variable{{"PROA_TEST_ORACLE_MYSQL_PORT", fmt.Sprint(oraclePort)}}
}

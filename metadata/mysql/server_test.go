package mysql_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	driverpkg "github.com/go-sql-driver/mysql"

	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/metadata/mysql"
)

const (
	user     = "proa"
	password = "s3cret p@ss:word/?#"

	// oddPassword is one that has to be quoted wherever it is written; the user "odd" has it. The user "certified" has to show
	// a certificate.
	oddPassword = "a'b\"c\nd%s\\é"
	oddInSQL    = `a''b"c\nd%s\\é`
)

// server is a MariaDB of this test's own, in a temporary folder.
type server struct {
	dir  string
	port int
	// extra are more arguments.
	extra   []string
	command *exec.Cmd
	ended   chan struct{}
	output  *bytes.Buffer
}

// startServer starts MariaDB, or skips the test where there is none.
func startServer(t *testing.T, extra ...string) *server {
	t.Helper()
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			testbed.Missing(t, "%s is not installed (Debian: apt-get install mariadb-server), and PROA_TEST_MYSQL_HOST is not set", program)
		}
	}
	dir, err := os.MkdirTemp("", "proa-mariadb-") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	install := exec.CommandContext(t.Context(), "mariadb-install-db", append([]string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db"}, asUser()...)...)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	setup := fmt.Sprintf("CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%s'@'%%';\n"+
		"CREATE USER IF NOT EXISTS 'poor'@'%%' IDENTIFIED BY 'poor';\n"+
		"CREATE USER IF NOT EXISTS 'odd'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO 'odd'@'%%';\n"+
		"CREATE USER IF NOT EXISTS 'certified'@'%%' IDENTIFIED BY '%s' REQUIRE X509;\nGRANT ALL ON *.* TO 'certified'@'%%';\n",
		user, password, user, oddInSQL, password)
	if err := os.WriteFile(filepath.Join(dir, "init.sql"), []byte(setup), 0o644); err != nil { //nolint:gosec // the server may be another user
		t.Fatal(err)
	}
	s := &server{dir: dir, extra: extra}
	t.Cleanup(s.kill)
	s.start(t)
	return s
}

func asUser() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// start starts the server, again on its port if it had one, and waits until it answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	if s.port == 0 {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.port = listener.Addr().(*net.TCPAddr).Port // a TCP listener's
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--socket=" + filepath.Join(s.dir, "s.sock"),
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port), "--skip-name-resolve",
		"--init-file=" + filepath.Join(s.dir, "init.sql"), "--innodb-buffer-pool-size=64M", "--max-allowed-packet=64M"}, s.extra...)
	s.output = &bytes.Buffer{}
	s.command = exec.Command("mariadbd", append(args, asUser()...)...) // it is killed by hand, and outlives a subtest
	s.command.Stdout, s.command.Stderr = s.output, s.output
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	command, ended := s.command, make(chan struct{})
	s.ended = ended
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	s.await(t)
}

func (s *server) await(t *testing.T) {
	t.Helper()
	db, err := sql.Open("mysql", s.source())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // a test's
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for err = db.PingContext(ctx); err != nil; err = db.PingContext(ctx) {
		select {
		case <-s.ended:
			t.Fatalf("mariadbd ended:\n%s", s.output)
		case <-ctx.Done():
			t.Fatalf("mariadbd is not ready: %v", err)
		case <-tick.C:
		}
	}
}

func (s *server) source() string {
	config := driverpkg.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = user, password, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	config.Logger = &driverpkg.NopLogger{}
	return config.FormatDSN()
}

// kill ends the server as a power failure would, and waits for its end.
func (s *server) kill() {
	if s.command != nil {
		_ = s.command.Process.Signal(syscall.SIGKILL)
		<-s.ended
		s.command = nil
	}
}

func (s *server) config() mysql.Config {
	return mysql.Config{Host: "127.0.0.1", Port: s.port, Username: user, Password: password}
}

// external returns the server that the environment names, if it names one.
func external(t *testing.T) (mysql.Config, bool) {
	t.Helper()
	host := os.Getenv("PROA_TEST_MYSQL_HOST")
	if host == "" {
		return mysql.Config{}, false
	}
	config := mysql.Config{Host: host, Username: os.Getenv("PROA_TEST_MYSQL_USER"), Password: os.Getenv("PROA_TEST_MYSQL_PASSWORD")}
	if port := os.Getenv("PROA_TEST_MYSQL_PORT"); port != "" {
		var err error
		if config.Port, err = strconv.Atoi(port); err != nil {
			t.Fatalf("PROA_TEST_MYSQL_PORT: %v", err)
		}
	}
	return config, true
}

// oracle returns the test cluster's MySQL, which it has unless Debian didn't give it one.
func oracle(t *testing.T) mysql.Config {
	t.Helper()
	if why := os.Getenv("PROA_TEST_ORACLE_MYSQL_MISSING"); why != "" {
		testbed.Missing(t, "the cluster has no MySQL: %s", why)
	}
	config, _ := external(t)
	port, err := strconv.Atoi(os.Getenv("PROA_TEST_ORACLE_MYSQL_PORT"))
	if err != nil || config.Host == "" {
		testbed.Missing(t, "PROA_TEST_ORACLE_MYSQL_PORT is not set; `go run ./hack/cluster env` prints it")
	}
	config.Port = port
	return config
}

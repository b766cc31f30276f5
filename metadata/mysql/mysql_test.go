package mysql_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	driverpkg "github.com/go-sql-driver/mysql"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/drivertest"
	"github.com/proa-ml/proa/metadata/mysql"
)

// open opens a store, which the test's end closes.
func open(t *testing.T, config mysql.Config) driver.Store {
	t.Helper()
	store, err := mysql.Open(t.Context(), config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// fresh names a new database, with characters that need quoting, and drops it afterwards.
func fresh(t *testing.T, config mysql.Config) mysql.Config {
	t.Helper()
	config.Database = "proa-test é` " + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		settings := driverpkg.NewConfig()
		settings.User, settings.Passwd, settings.Net, settings.Addr = config.Username, config.Password, "tcp", config.Address()
		settings.Logger = &driverpkg.NopLogger{}
		db, err := sql.Open("mysql", settings.FormatDSN())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() // a test's
		name := "`" + strings.ReplaceAll(config.Database, "`", "``") + "`"
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE IF EXISTS "+name); err != nil {
			t.Error(err)
		}
	})
	return config
}

// TestMySQL tests a MariaDB, and TestOracleMySQL a MySQL, which differs in its collations, in how it checks passwords, and in how
// it changes tables.
func TestMySQL(t *testing.T) {
	config, ok := external(t)
	if !ok {
		config = startServer(t).config()
	}
	testServer(t, config)
}

func TestOracleMySQL(t *testing.T) {
	config := oracle(t)
	t.Run("first login", func(t *testing.T) { testFirstLogin(t, config) })
	testServer(t, config)
}

func testServer(t *testing.T, config mysql.Config) {
	t.Run("conformance", func(t *testing.T) {
		drivertest.Run(t, func(t *testing.T) func(*testing.T) driver.Store {
			config := fresh(t, config)
			return func(t *testing.T) driver.Store { return open(t, config) }
		})
	})
	t.Run("opened at once", func(t *testing.T) { testOpenedAtOnce(t, fresh(t, config)) })
	t.Run("half a migration", func(t *testing.T) { testHalfMigration(t, fresh(t, config)) })
	t.Run("newer schema", func(t *testing.T) { testNewerSchema(t, fresh(t, config)) })
	t.Run("wrong password", func(t *testing.T) { testWrongPassword(t, fresh(t, config)) })
}

// testFirstLogin logs in as a user that the server has never seen: it can't compare a hash that it remembers, so the password goes
// to it encrypted, by its public key or by TLS.
func testFirstLogin(t *testing.T, config mysql.Config) {
	admin := fresh(t, config)
	open(t, admin)
	db := rawDB(t, admin)
	for name, secure := range map[string]mysql.Verify{"plain": mysql.VerifyOff, "tls": mysql.VerifyNone} {
		user := "first-" + name + "-" + strings.ToLower(rand.Text())[:8]
		if _, err := db.ExecContext(t.Context(), "CREATE USER '"+user+"'@'%' IDENTIFIED WITH caching_sha2_password BY '"+oddInSQL+"'"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = db.ExecContext(context.WithoutCancel(t.Context()), "DROP USER '"+user+"'@'%'") })
		if _, err := db.ExecContext(t.Context(), "GRANT ALL ON *.* TO '"+user+"'@'%'"); err != nil {
			t.Fatal(err)
		}
		login := admin
		login.Username, login.Password, login.Verify = user, "wrong", secure
		if _, err := mysql.Open(t.Context(), login, nil); err == nil || !strings.Contains(err.Error(), "refuses the user") {
			t.Errorf("%s: a wrong password: got %v", name, err)
		}
		login.Password = oddPassword
		open(t, login)
	}
}

// testOpenedAtOnce migrates one new database from many pools, each as good as a process of its own.
func testOpenedAtOnce(t *testing.T, config mysql.Config) {
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			store, err := mysql.Open(t.Context(), config, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// rawDB opens the database past the store.
func rawDB(t *testing.T, config mysql.Config) *sql.DB {
	t.Helper()
	settings := driverpkg.NewConfig()
	settings.User, settings.Passwd, settings.Net, settings.Addr, settings.DBName = config.Username, config.Password, "tcp", config.Address(), config.Database
	connector, err := driverpkg.NewConnector(settings)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// testHalfMigration has a migration begin that a crash ended after some of its statements.
func testHalfMigration(t *testing.T, config mysql.Config) {
	open(t, config)
	db := rawDB(t, config)
	for _, statement := range []string{"DELETE FROM proa_schema", "DROP TABLE proa_cache", "DROP INDEX proa_runs_status ON proa_runs"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(t, config).Cached(t.Context(), []string{"key"}); err != nil {
		t.Error(err)
	}
}

func testNewerSchema(t *testing.T, config mysql.Config) {
	open(t, config)
	if _, err := rawDB(t, config).ExecContext(t.Context(), "INSERT INTO proa_schema (version) VALUES (999)"); err != nil {
		t.Fatal(err)
	}
	_, err := mysql.Open(t.Context(), config, nil)
	if err == nil || !strings.Contains(err.Error(), "newer proa") {
		t.Errorf("opening a newer database: got %v", err)
	}
}

func testWrongPassword(t *testing.T, config mysql.Config) {
	config.Password = "not the p@ssword"
	_, err := mysql.Open(t.Context(), config, nil)
	if err == nil || errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "username and password") || strings.Contains(err.Error(), config.Password) {
		t.Errorf("opening with a wrong password: got %v", err)
	}
}

// TestOwnServer tests what needs a server of the test's own: users without rights, certificates, crashes.
func TestOwnServer(t *testing.T) {
	authority := newAuthority(t)
	s := startServer(t, authority.serverArguments(t, "db.example")...)
	t.Run("poor user", func(t *testing.T) {
		config := s.config()
		config.Username, config.Password, config.Database = "poor", "poor", "elsewhere"
		_, err := mysql.Open(t.Context(), config, nil)
		if err == nil || errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "CREATE DATABASE") {
			t.Errorf("opening a database that the user may not make: got %v", err)
		}
	})
	t.Run("odd password", func(t *testing.T) {
		config := s.config()
		config.Username, config.Password = "odd", oddPassword
		open(t, fresh(t, config))
	})
	t.Run("tls", func(t *testing.T) { testTLS(t, s, authority) })
	t.Run("full verification", func(t *testing.T) { testFullVerification(t, s, authority) })
	t.Run("client's certificate", func(t *testing.T) { testClientCertificate(t, s, authority) })
	t.Run("killed and started", func(t *testing.T) { testKilled(t, s) })
}

func testKilled(t *testing.T, s *server) {
	config := fresh(t, s.config())
	store := open(t, config)
	if err := store.CreateRun(t.Context(), driver.Run{ID: "a", Name: "a"}); err != nil {
		t.Fatal(err)
	}
	lease, err := store.Acquire(t.Context(), "a", "holder", time.Now(), time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(seq int64) error {
		return store.Commit(t.Context(), driver.Commit{Lease: lease, Events: []driver.Event{{Seq: seq, Kind: "k"}}})
	}
	for round := range int64(2) {
		if err := commit(2*round + 1); err != nil {
			t.Fatalf("round %d, before: %v", round, err)
		}
		s.kill()
		if err := commit(2*round + 2); !errors.Is(err, driver.ErrUnavailable) || strings.Contains(err.Error(), password) {
			t.Errorf("round %d, with the server gone: got %v, want ErrUnavailable", round, err)
		}
		if _, err := store.Run(t.Context(), "a"); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("round %d, reading with the server gone: got %v, want ErrUnavailable", round, err)
		}
		if _, err := mysql.Open(t.Context(), config, nil); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("round %d, opening with the server gone: got %v, want ErrUnavailable", round, err)
		}
		s.start(t)
		if err := commit(2*round + 2); err != nil {
			t.Errorf("round %d, with the server back: %v", round, err)
		}
	}
	events, err := store.Events(t.Context(), "a", 0)
	if err != nil || len(events) != 4 {
		t.Errorf("%d events, want 4; error %v", len(events), err)
	}
}

func TestBadConfig(t *testing.T) {
	good := mysql.Config{Host: "h", Database: "d", Username: "u"}
	for name, change := range map[string]func(*mysql.Config){
		"host":     func(c *mysql.Config) { c.Host = "" },
		"database": func(c *mysql.Config) { c.Database = "" },
		"username": func(c *mysql.Config) { c.Username = "" },
		"port":     func(c *mysql.Config) { c.Port = 70000 },
		"name":     func(c *mysql.Config) { c.Database = "a/b" },
		"PEM":      func(c *mysql.Config) { c.CA = []byte("nonsense") },
		"off":      func(c *mysql.Config) { c.CA, c.Verify = []byte("nonsense"), mysql.VerifyOff },
		"check":    func(c *mysql.Config) { c.Verify = "maybe" },
	} {
		config := good
		change(&config)
		if _, err := mysql.Open(t.Context(), config, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a bad %s: got %v", name, err)
		}
	}
}

// TestSilentServer has a server that takes connections and never answers.
func TestSilentServer(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()                      // a test's
	port := listener.Addr().(*net.TCPAddr).Port // a TCP listener's
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := listener.Accept(); err == nil {
			cancel()
			<-t.Context().Done()
			_ = conn.Close()
		}
	}()
	_, err = mysql.Open(ctx, mysql.Config{Host: "127.0.0.1", Port: port, Database: "d", Username: "u"}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("opening with a cancelled context: got %v", err)
	}
}

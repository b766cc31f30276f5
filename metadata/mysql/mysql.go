// Package mysql is a metadata store in MySQL 8 or MariaDB.
package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/sqlstore"
)

// Config says which database to use, and as whom.
type Config struct {
	Host string
	// Port is 3306 if it is 0.
	Port               int
	Database           string
	Username, Password string
	// CA, Cert and Key are PEM: the authority of the server's certificate, and the client's certificate and its key.
	CA, Cert, Key []byte
	// Verify says how the server's certificate is checked.
	Verify Verify
}

// Verify says how the server's certificate is checked, and so whether the connection is encrypted.
type Verify string

// The values of Verify.
const (
	// VerifyDefault is VerifyFull if a CA or a client's certificate is given, and VerifyOff otherwise.
	VerifyDefault Verify = ""
	// VerifyOff doesn't encrypt.
	VerifyOff Verify = "off"
	// VerifyNone encrypts, and takes any certificate.
	VerifyNone Verify = "none"
	// VerifyCA encrypts, and demands a certificate of the authority, for whatever host.
	VerifyCA Verify = "ca"
	// VerifyFull encrypts, and demands a certificate of the authority for the host.
	VerifyFull Verify = "full"
)

// Options tune a store. The zero value is good.
type Options struct {
	// Connections bounds the connections to the server; 0 means 8.
	Connections int
	// Dial opens the connections to the server; nil means over TCP to its host and port. Its errors that may pass wrap
	// driver.ErrUnavailable.
	Dial func(ctx context.Context) (net.Conn, error)
}

const (
	dialTimeout = 5 * time.Second
	// ioTimeout bounds the wait for one answer of the server.
	ioTimeout = 15 * time.Second
	// idleTime is shorter than what servers and what is between allow, so that few connections are found dead.
	idleTime           = time.Minute
	defaultPort        = 3306
	defaultConnections = 8
	maxName            = 64
)

// Open connects, makes the database if it is missing and cfg's user may, and migrates it. ErrUnavailable if the server
// can't be reached now.
func Open(ctx context.Context, cfg Config, opts *Options) (driver.Store, error) {
	if opts == nil {
		opts = &Options{}
	}
	settings, err := cfg.settings()
	if err != nil {
		return nil, fmt.Errorf("opening the metadata store: %w", err)
	}
	if opts.Dial != nil {
		settings.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return opts.Dial(ctx) }
		settings.Timeout = ioTimeout // there is more to it than to a connection over TCP
	}
	if err := ensureDatabase(ctx, cfg, settings); err != nil {
		return nil, fmt.Errorf("opening the metadata store: %w", err)
	}
	db, err := pool(settings)
	if err != nil {
		return nil, fmt.Errorf("opening the metadata store: %w", err)
	}
	connections := opts.Connections
	if connections <= 0 {
		connections = defaultConnections
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(idleTime)
	s, err := sqlstore.Open(ctx, db, db, dialect(cfg))
	if err != nil {
		return nil, err
	}
	return store{s}, nil
}

type store struct{ *sqlstore.Store }

// Close ends the connections. One that is lost can't take leave of the server, which is no failure: all that was written was
// answered.
func (s store) Close() error {
	_ = s.Store.Close()
	return nil
}

func pool(settings *mysql.Config) (*sql.DB, error) {
	connector, err := mysql.NewConnector(settings)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// check refuses a config that can't work, before anything is tried.
func (cfg Config) check() error {
	switch {
	case cfg.Host == "":
		return errors.New("the MySQL metadata store needs a host")
	case cfg.Port < 0 || cfg.Port > 65535:
		return fmt.Errorf("%d is not a port", cfg.Port)
	case cfg.Username == "":
		return errors.New("the MySQL metadata store needs a username")
	case cfg.Database == "":
		return errors.New("the MySQL metadata store needs the name of a database")
	case utf8.RuneCountInString(cfg.Database) > maxName, !utf8.ValidString(cfg.Database), strings.HasSuffix(cfg.Database, " "),
		strings.ContainsFunc(cfg.Database, func(r rune) bool { return r < 32 || r > 0xffff || strings.ContainsRune(`/\.`, r) }):
		return fmt.Errorf("%q can't be the name of a database: at most %d characters, no slash, dot or control character, no space at the end", cfg.Database, maxName)
	}
	return nil
}

// Address returns the host and port of the server.
func (cfg Config) Address() string {
	port := cfg.Port
	if port == 0 {
		port = defaultPort
	}
	return net.JoinHostPort(cfg.Host, strconv.Itoa(port))
}

// settings returns the configuration of the database driver.
func (cfg Config) settings() (*mysql.Config, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	secure, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	settings := mysql.NewConfig()
	settings.User, settings.Passwd = cfg.Username, cfg.Password
	settings.Net, settings.Addr, settings.DBName = "tcp", cfg.Address(), cfg.Database
	settings.TLS = secure
	settings.Collation = "utf8mb4_bin"
	settings.Timeout, settings.ReadTimeout, settings.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	settings.InterpolateParams = true
	settings.ClientFoundRows = true
	settings.RejectReadOnly = true
	settings.Logger = &mysql.NopLogger{}
	return settings, nil
}

// ensureDatabase makes the database if the server says that it is missing.
func ensureDatabase(ctx context.Context, cfg Config, settings *mysql.Config) error {
	err := ping(ctx, settings)
	if hasNumber(err, errUnknownDatabase) {
		err = createDatabase(ctx, cfg, settings)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return explain(cfg, hearRefusal(ctx, settings, err))
}

func ping(ctx context.Context, settings *mysql.Config) error {
	db, err := pool(settings)
	if err != nil {
		return err
	}
	defer db.Close() // nothing was written
	return db.PingContext(ctx)
}

// hearRefusal finds out whether a server that ended the connection did so because of the client's certificate. In TLS 1.3 it
// says so after the handshake, when the database driver doesn't listen; before, it did within.
func hearRefusal(ctx context.Context, settings *mysql.Config, err error) error {
	if settings.TLS == nil || len(settings.TLS.Certificates) == 0 || !isUnavailable(err) {
		return err
	}
	older := settings.Clone()
	older.TLS.MaxVersion = tls.VersionTLS12
	if refusal := ping(ctx, older); isRefusal(refusal) {
		return refusal
	}
	return err
}

func createDatabase(ctx context.Context, cfg Config, settings *mysql.Config) error {
	server := settings.Clone()
	server.DBName = ""
	db, err := pool(server)
	if err != nil {
		return err
	}
	defer db.Close() // the statement was answered
	_, err = db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(cfg.Database)+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	return err
}

// quote makes a name an identifier.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

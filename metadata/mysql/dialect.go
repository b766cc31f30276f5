package mysql

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/sqlstore"
)

// Numbers of the server's errors.
const (
	errTooManyConnections  = 1040
	errDatabaseDenied      = 1044
	errAccessDenied        = 1045
	errUnknownDatabase     = 1049
	errShutdown            = 1053
	errDuplicateColumn     = 1060
	errDuplicateIndex      = 1061
	errDuplicate           = 1062
	errTableExists         = 1050
	errHostBlocked         = 1129
	errHostDenied          = 1130
	errCommandDenied       = 1142
	errMissingTable        = 1146
	errPacketTooBig        = 1153
	errUserConnections     = 1203
	errLockTimeout         = 1205
	errDeadlock            = 1213
	errUserLimit           = 1226
	errReadOnly            = 1290
	errTransactionReadOnly = 1792
	errPasswordExpired     = 1820
	errQueryInterrupted    = 1927
)

// lockWait is how long one wait for another migration lasts, in seconds; it must be shorter than ioTimeout.
const (
	lockWait     = 5
	lockAttempts = 60
)

func dialect(cfg Config) sqlstore.Dialect {
	return sqlstore.Dialect{
		Types: map[string]string{"id": "VARCHAR(64)", "hash": "CHAR(64)", "word": "VARCHAR(64)", "text": "MEDIUMTEXT", "doc": "LONGTEXT",
			"table": "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"},
		ForUpdate:      " FOR UPDATE",
		Upsert:         upsert,
		Tx:             &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		Explain:        func(err error) error { return explain(cfg, err) },
		IsDuplicate:    func(err error) bool { return hasNumber(err, errDuplicate) },
		IsMissingTable: func(err error) bool { return hasNumber(err, errMissingTable) },
		IsDone:         func(err error) bool { return hasNumber(err, errTableExists, errDuplicateIndex, errDuplicateColumn) },
		IsRetryable:    func(err error) bool { return hasNumber(err, errDeadlock) },
		Exclusively: func(ctx context.Context, conn *sql.Conn, f func() error) error {
			return exclusively(ctx, conn, lockName(cfg.Database), f)
		},
	}
}

// upsert takes the form that both MySQL and MariaDB know. Assignments are made from left to right, so the column that
// tells what is newest comes last.
func upsert(_ string, columns []string, newest string) string {
	var set []string
	for _, c := range columns {
		switch {
		case newest == "":
			set = append(set, fmt.Sprintf("%s = VALUES(%s)", c, c))
		case c != newest:
			set = append(set, fmt.Sprintf("%s = IF(VALUES(%s) >= %s, VALUES(%s), %s)", c, newest, newest, c, c))
		}
	}
	if newest != "" {
		set = append(set, fmt.Sprintf("%s = GREATEST(%s, VALUES(%s))", newest, newest, newest))
	}
	return " ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
}

// lockName is unlike that of other databases on the server, and short enough.
func lockName(database string) string {
	sum := sha256.Sum256([]byte(database))
	return "proa-migration-" + hex.EncodeToString(sum[:16])
}

// exclusively calls f under a lock of the server, which the server frees when the connection ends.
func exclusively(ctx context.Context, conn *sql.Conn, lock string, f func() error) error {
	for range lockAttempts {
		var got sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", lock, lockWait).Scan(&got); err != nil {
			return err
		}
		if got.Int64 != 1 {
			continue
		}
		err := f()
		var freed sql.NullInt64
		return errors.Join(err, conn.QueryRowContext(context.WithoutCancel(ctx), "SELECT RELEASE_LOCK(?)", lock).Scan(&freed))
	}
	return fmt.Errorf("%w: another process migrates the database for long", driver.ErrUnavailable)
}

func hasNumber(err error, numbers ...uint16) bool {
	var failure *mysql.MySQLError
	return errors.As(err, &failure) && slices.Contains(numbers, failure.Number)
}

// explain tells what the user can do about an error, or that waiting helps.
func explain(cfg Config, err error) error {
	switch {
	case hasNumber(err, errAccessDenied, errPasswordExpired):
		check := "username and password"
		if len(cfg.Cert) == 0 {
			check += " (and ssl_cert, if the user has to show a certificate)"
		}
		return fmt.Errorf("the server at %s refuses the user %q: check the metadata store's %s: %w", cfg.Address(), cfg.Username, check, err)
	case hasNumber(err, errDatabaseDenied, errCommandDenied):
		return fmt.Errorf("the user %q may not use or make the database %s at %s; an administrator can type: CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4; GRANT ALL ON %s.* TO the user: %w",
			cfg.Username, quote(cfg.Database), cfg.Address(), quote(cfg.Database), quote(cfg.Database), err)
	case hasNumber(err, errHostDenied, errHostBlocked):
		return fmt.Errorf("the server at %s takes no connections from this machine: %w", cfg.Address(), err)
	case hasNumber(err, errPacketTooBig), errors.Is(err, mysql.ErrPktTooLarge):
		return fmt.Errorf("a document is too big for the server at %s: raise its max_allowed_packet: %w", cfg.Address(), err)
	case isRefusal(err):
		return fmt.Errorf("the server at %s refuses the client's certificate: check the metadata store's ssl_cert: %w", cfg.Address(), err)
	case isCertificate(err):
		return fmt.Errorf("the certificate of the server at %s is not trusted: check the metadata store's TLS attributes: %w", cfg.Address(), err)
	case errors.Is(err, driver.ErrUnavailable):
		return err
	case isUnavailable(err):
		return fmt.Errorf("%w: MySQL at %s: %w", driver.ErrUnavailable, cfg.Address(), err)
	}
	return err
}

// isRefusal reports whether the server has ended the handshake of TLS because of the client's certificate.
func isRefusal(err error) bool {
	var refusal *net.OpError
	return errors.As(err, &refusal) && refusal.Op == "remote error" && strings.Contains(refusal.Error(), "certificate")
}

func isCertificate(err error) bool {
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &certificate) || errors.As(err, &unknown) || errors.Is(err, mysql.ErrNoTLS)
}

// lostWhileConnecting is what the database driver says of a connection that is lost before it is made; it has no name for it.
const lostWhileConnecting = "bad connection"

func isUnavailable(err error) bool {
	var network net.Error
	return err.Error() == lostWhileConnecting || errors.As(err, &network) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		hasNumber(err, errTooManyConnections, errShutdown, errUserConnections, errLockTimeout, errDeadlock, errUserLimit,
			errReadOnly, errTransactionReadOnly, errQueryInterrupted)
}

// Package sqlite is a metadata store in one file, for one machine. Several processes may use it at once.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/sqlstore"
)

// Options tune a store. There are none yet.
type Options struct{}

const (
	// openAttempts bounds the waits, each of the busy timeout, for others that open the same new file.
	openAttempts = 3
	// settings: readers don't wait for the writer, and a writer waits 10 s for another.
	settings = "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	readers  = 4
)

// Open opens the store in the file at path, and makes the file and its folder, for this user only, if they are missing.
func Open(ctx context.Context, path string, _ *Options) (driver.Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the metadata store: %w", err)
	}
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("opening the metadata store %s: %w", path, err)
	}
	for range openAttempts {
		var store *sqlstore.Store
		if store, err = open(ctx, path); err == nil {
			return store, nil
		}
		if !errors.Is(err, driver.ErrUnavailable) {
			break
		}
	}
	return nil, err
}

func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// SQLite would make it readable for everybody.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

func open(ctx context.Context, path string) (*sqlstore.Store, error) {
	source := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + settings
	write, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, fmt.Errorf("opening the metadata store %s: %w", path, err)
	}
	// The file has one writer at a time anyway, and waiting in this process is fairer than waiting in SQLite.
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the metadata store %s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(readers)
	return sqlstore.Open(ctx, read, write, dialect(path))
}

func dialect(path string) sqlstore.Dialect {
	return sqlstore.Dialect{
		Types:          map[string]string{"id": "TEXT", "hash": "TEXT", "word": "TEXT", "text": "TEXT", "doc": "TEXT", "table": ""},
		Upsert:         upsert,
		Explain:        func(err error) error { return explain(path, err) },
		IsDuplicate:    func(err error) bool { return hasCode(err, sqlite3.SQLITE_CONSTRAINT) },
		IsMissingTable: func(err error) bool { return err != nil && strings.Contains(err.Error(), "no such table") },
		IsDone:         func(error) bool { return false },
		IsRetryable:    func(error) bool { return false },
		Exclusively:    exclusively,
	}
}

func upsert(key string, columns []string, newest string) string {
	var set []string
	for _, c := range columns {
		set = append(set, c+" = excluded."+c)
	}
	suffix := " ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(set, ", ")
	if newest != "" {
		suffix += " WHERE excluded." + newest + " >= " + newest
	}
	return suffix
}

// exclusively calls f in a transaction that is the only writer.
func exclusively(ctx context.Context, conn *sql.Conn, f func() error) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := f(); err != nil {
		_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, rollback)
	}
	_, err := conn.ExecContext(ctx, "COMMIT")
	return err
}

// hasCode reports whether err has one of the primary result codes.
func hasCode(err error, codes ...int) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	for _, code := range codes {
		if failure.Code()&0xff == code {
			return true
		}
	}
	return false
}

func explain(path string, err error) error {
	switch {
	case hasCode(err, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
		return fmt.Errorf("%w: another process holds %s for long: %w", driver.ErrUnavailable, path, err)
	case hasCode(err, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
		return fmt.Errorf("the file %s is not a database of proa's, or is damaged; move it away to start with an empty one: %w", path, err)
	case hasCode(err, sqlite3.SQLITE_FULL):
		return fmt.Errorf("the disk of %s is full: %w", path, err)
	case hasCode(err, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
		return fmt.Errorf("the file %s and its folder must be writable for this user: %w", path, err)
	}
	return err
}

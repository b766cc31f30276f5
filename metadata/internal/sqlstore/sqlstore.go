// Package sqlstore is the metadata store over database/sql. What databases do differently is in a Dialect.
package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/metadata/driver"
)

// Dialect is what the databases do differently.
type Dialect struct {
	// Types replace the words in double braces of the migrations.
	Types map[string]string
	// ForUpdate is added to a SELECT whose row the transaction will write.
	ForUpdate string
	// Upsert returns what to add to an INSERT so that it replaces the row with an equal key, but not by an older one:
	// newest names the column that tells, if there is one.
	Upsert func(key string, columns []string, newest string) string
	// Tx are the options of writing transactions.
	Tx *sql.TxOptions
	// Explain makes a database's error one of the driver's where it is one, and readable where it can.
	Explain func(error) error
	// IsDuplicate, IsMissingTable and IsDone know the errors of an INSERT whose key exists, of a query before the first
	// migration, and of a migration's statement that was executed before.
	IsDuplicate, IsMissingTable, IsDone func(error) bool
	// IsRetryable knows errors after which the same transaction is to be tried again at once.
	IsRetryable func(error) bool
	// Exclusively calls f while no other process migrates the database.
	Exclusively func(ctx context.Context, conn *sql.Conn, f func() error) error
}

// txAttempts is how often a transaction is tried that the database gives up in favour of another.
const txAttempts = 10

// Store is a metadata store.
type Store struct {
	read, write *sql.DB
	d           Dialect
}

var _ driver.Store = (*Store)(nil)

// Open migrates the database and returns the store, which closes both pools when it is closed; they may be the same.
func Open(ctx context.Context, read, write *sql.DB, d Dialect) (*Store, error) {
	s := &Store{read: read, write: write, d: d}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(s.fail(ctx, "opening the metadata store", err), s.Close())
	}
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	err := s.read.Close()
	if s.write != s.read {
		err = errors.Join(err, s.write.Close())
	}
	if err != nil {
		return fmt.Errorf("closing the metadata store: %w", err)
	}
	return nil
}

// fail says what was being done when err came up, and which of the driver's errors it is.
func (s *Store) fail(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrFenced),
		errors.Is(err, driver.ErrUnavailable):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, sqldriver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return fmt.Errorf("%s: %w: the connection was lost", doing, driver.ErrUnavailable)
	}
	return fmt.Errorf("%s: %w", doing, s.d.Explain(err))
}

// tx calls f in a transaction, again if the database asks for it.
func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	var err error
	for range txAttempts {
		if err = s.txOnce(ctx, f); err == nil || !s.d.IsRetryable(err) || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (s *Store) txOnce(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, s.d.Tx)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		// The error of the rollback says nothing that err doesn't.
		_ = tx.Rollback() // see above
		return err
	}
	return tx.Commit()
}

// hash makes a name or key of any length fit an index.
func hash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

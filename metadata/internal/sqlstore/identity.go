package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/proa-ml/proa/metadata/driver"
)

const doingIdentity = "reading the metadata store's identity"

// Identity implements driver.Identifier.
func (s *Store) Identity(ctx context.Context, proposed string) (driver.Identity, error) {
	id, err := s.identity(ctx)
	if err != nil || id.ID != "" || proposed == "" {
		return id, s.fail(ctx, doingIdentity, err)
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO proa_identity (one, id, artifacts) VALUES (1, ?, '')", proposed)
		return err
	})
	if err != nil && !s.d.IsDuplicate(err) {
		return driver.Identity{}, s.fail(ctx, "giving the metadata store an identity", err)
	}
	id, err = s.identity(ctx)
	return id, s.fail(ctx, doingIdentity, err)
}

// identity returns the zero Identity if there is none yet.
func (s *Store) identity(ctx context.Context) (driver.Identity, error) {
	var id driver.Identity
	err := s.read.QueryRowContext(ctx, "SELECT id, artifacts FROM proa_identity WHERE one = 1").Scan(&id.ID, &id.Artifacts)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return id, err
}

// Pair implements driver.Identifier.
func (s *Store) Pair(ctx context.Context, from, to string) (driver.Identity, error) {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE proa_identity SET artifacts = ? WHERE one = 1 AND artifacts = ?", to, from)
		return err
	})
	var id driver.Identity
	if err == nil {
		id, err = s.identity(ctx)
	}
	if err == nil && id.ID == "" {
		err = driver.ErrNotFound
	}
	return id, s.fail(ctx, "pairing the metadata store with an artifact store", err)
}

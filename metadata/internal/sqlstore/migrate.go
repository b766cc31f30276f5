package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"strings"
)

// migrations are numbered from 1 without gaps, and never change once released.
//
//go:embed migrations/*.sql
var migrations embed.FS

const versionTable = "CREATE TABLE IF NOT EXISTS proa_schema (version BIGINT NOT NULL PRIMARY KEY) "

// migrate brings the database to the newest schema, once, whoever else tries at the same time.
func (s *Store) migrate(ctx context.Context) error {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, err := s.version(ctx, s.write)
	if err != nil || current == len(files) {
		return err
	}
	if current > len(files) {
		return newer(current, len(files))
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // it goes back to the pool
	return s.d.Exclusively(ctx, conn, func() error {
		if _, err := conn.ExecContext(ctx, versionTable+s.d.Types["table"]); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		current, err := s.version(ctx, conn)
		if err != nil {
			return err
		}
		if current > len(files) {
			return newer(current, len(files))
		}
		for i := current; i < len(files); i++ {
			if err := s.apply(ctx, conn, i+1, files[i].Name()); err != nil {
				return fmt.Errorf("migrating to schema %d: %w", i+1, err)
			}
		}
		return nil
	})
}

func newer(have, know int) error {
	return fmt.Errorf("the database was written by a newer proa (its schema is %d, this proa knows up to %d): upgrade proa, or use another database", have, know)
}

// queryer is a pool or one of its connections.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns the database's schema version, 0 for an empty database.
func (s *Store) version(ctx context.Context, db queryer) (int, error) {
	var version sql.NullInt64
	err := db.QueryRowContext(ctx, "SELECT MAX(version) FROM proa_schema").Scan(&version)
	if err != nil && s.d.IsMissingTable(err) {
		return 0, nil
	}
	return int(version.Int64), err
}

// apply executes one migration. A database without transactions over schemas may have executed a part of it before.
func (s *Store) apply(ctx context.Context, conn *sql.Conn, version int, file string) error {
	data, err := migrations.ReadFile("migrations/" + file)
	if err != nil {
		return err
	}
	for _, statement := range s.statements(string(data)) {
		if _, err := conn.ExecContext(ctx, statement); err != nil && !s.d.IsDone(err) {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "INSERT INTO proa_schema (version) VALUES (?)", version)
	return err
}

// statements fills in the types, and splits.
func (s *Store) statements(script string) []string {
	var replace []string
	for word, is := range s.d.Types {
		replace = append(replace, "{{"+word+"}}", is)
	}
	var kept strings.Builder
	for line := range strings.Lines(strings.NewReplacer(replace...).Replace(script)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			kept.WriteString(line)
		}
	}
	var statements []string
	for statement := range strings.SplitSeq(kept.String(), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

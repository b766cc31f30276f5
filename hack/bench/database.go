package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// server opens the server of the stack's metadata store, besides proa.
func (p *proa) server() (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(p.test("MYSQL_HOST"), p.test("MYSQL_PORT"))
	config.User, config.Passwd = p.test("MYSQL_USER"), p.test("MYSQL_PASSWORD")
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		return nil, fmt.Errorf("opening the metadata store's server: %w", err)
	}
	return db, nil
}

// commits returns how many transactions the metadata store's server has committed.
func (p *proa) commits(ctx context.Context) (float64, error) {
	db, err := p.server()
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	var name string
	var count float64
	if err := db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Com_commit'").Scan(&name, &count); err != nil {
		return 0, fmt.Errorf("counting the metadata store's transactions: %w", err)
	}
	return count, nil
}

// dropDatabases removes what the stack's metadata stores have recorded.
func (p *proa) dropDatabases(ctx context.Context) error {
	db, err := p.server()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(ctx, "SHOW DATABASES")
	if err != nil {
		return fmt.Errorf("listing databases: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var ours []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("listing databases: %w", err)
		}
		if strings.HasPrefix(name, p.database) {
			ours = append(ours, name)
		}
	}
	err = rows.Err()
	for _, name := range ours {
		_, failed := db.ExecContext(ctx, "DROP DATABASE `"+name+"`")
		err = errors.Join(err, failed)
	}
	return err
}

package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/turn"
	"github.com/proa-ml/proa/step"
)

const runColumns = "id, name, pipeline, stack, orchestrator, context, namespace, status, created, started, ended, cancel_requested"

// rower is a row or rows.
type rower interface{ Scan(dest ...any) error }

// scanRun reads runColumns, and more columns into more.
func scanRun(row rower, more ...any) (driver.Run, error) {
	var r driver.Run
	var created, started, ended, cancel int64
	dest := append([]any{&r.ID, &r.Name, &r.Pipeline, &r.Stack, &r.Orchestrator, &r.Context, &r.Namespace, &r.Status,
		&created, &started, &ended, &cancel}, more...)
	err := row.Scan(dest...)
	r.Created, r.Started, r.Ended = turn.FromMicros(created), turn.FromMicros(started), turn.FromMicros(ended)
	r.CancelRequested = cancel != 0
	return r, err
}

// Run implements driver.Reader.
func (s *Store) Run(ctx context.Context, idOrName string) (driver.Run, error) {
	var spec, plan []byte
	row := s.read.QueryRowContext(ctx, "SELECT "+runColumns+", spec, plan FROM proa_runs WHERE id = ? OR name_hash = ?"+
		" ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END LIMIT 1", idOrName, hash(idOrName), idOrName)
	r, err := scanRun(row, &spec, &plan)
	if errors.Is(err, sql.ErrNoRows) {
		err = driver.ErrNotFound
	}
	if err != nil {
		return driver.Run{}, s.fail(ctx, fmt.Sprintf("reading run %q", idOrName), err)
	}
	r.Spec, r.Plan = raw(spec), raw(plan)
	return r, nil
}

// raw returns a document; an empty one is nil.
func raw(document []byte) json.RawMessage {
	if len(document) == 0 {
		return nil
	}
	return document
}

// Runs implements driver.Reader.
func (s *Store) Runs(ctx context.Context, q driver.Query) ([]driver.Run, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if q.Pipeline != "" {
		add("pipeline_hash = ?", hash(q.Pipeline))
	}
	if q.Status != "" {
		add("status = ?", q.Status)
	}
	if q.Before != "" {
		id, created, err := s.place(ctx, q.Before)
		if err != nil {
			return nil, s.fail(ctx, fmt.Sprintf("listing the runs before %q", q.Before), err)
		}
		add("created <= ? AND (created < ? OR id < ?)", created, created, id)
	}
	query := "SELECT " + runColumns + " FROM proa_runs WHERE " + strings.Join(where, " AND ") + " ORDER BY created DESC, id DESC LIMIT ?"
	runs, err := collect(ctx, s.read, func(rows *sql.Rows) (driver.Run, error) { return scanRun(rows) }, query, append(args, turn.Limit(q))...)
	return runs, s.fail(ctx, "listing runs", err)
}

// Pipelines implements driver.Reader. The inner query reads the index proa_runs_pipeline alone.
func (s *Store) Pipelines(ctx context.Context) ([]driver.Pipeline, error) {
	columns := "r." + strings.ReplaceAll(runColumns, ", ", ", r.")
	query := "SELECT " + columns + ", p.runs FROM (SELECT pipeline_hash, COUNT(*) AS runs, MAX(created) AS newest FROM proa_runs GROUP BY pipeline_hash) p" +
		" JOIN proa_runs r ON r.pipeline_hash = p.pipeline_hash AND r.created = p.newest ORDER BY r.pipeline_hash, r.id DESC"
	all, err := collect(ctx, s.read, func(rows *sql.Rows) (driver.Pipeline, error) {
		var p driver.Pipeline
		last, err := scanRun(rows, &p.Runs)
		p.Name, p.Last = last.Pipeline, last
		return p, err
	}, query)
	// Of several runs that were created in the same moment the first counts.
	all = slices.CompactFunc(all, func(a, b driver.Pipeline) bool { return a.Name == b.Name })
	slices.SortFunc(all, func(a, b driver.Pipeline) int { return strings.Compare(a.Name, b.Name) })
	return all, s.fail(ctx, "listing pipelines", err)
}

// place returns what a run is sorted by.
func (s *Store) place(ctx context.Context, name string) (id string, created int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT id, created FROM proa_runs WHERE name_hash = ?", hash(name)).Scan(&id, &created)
	if errors.Is(err, sql.ErrNoRows) {
		err = driver.ErrNotFound
	}
	return id, created, err
}

// rowQueryer is a pool or a transaction.
type rowQueryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect scans all rows of a query.
func collect[T any](ctx context.Context, db rowQueryer, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err has it
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Steps implements driver.Reader.
func (s *Store) Steps(ctx context.Context, run string) ([]driver.Step, error) {
	steps, err := collect(ctx, s.read, scanStep, "SELECT run_id, name, position, status, attempt, attempt_name, cache_key, cached_from, "+
		"log_key, outputs, failure, cost, started, ended FROM proa_steps WHERE run_id = ? ORDER BY position, name", run)
	return steps, s.fail(ctx, "reading the steps of run "+run, err)
}

func scanStep(rows *sql.Rows) (driver.Step, error) {
	var st driver.Step
	var outputs, failure, cost []byte
	var started, ended int64
	err := rows.Scan(&st.Run, &st.Name, &st.Index, &st.Status, &st.Attempt, &st.AttemptName, &st.CacheKey, &st.CachedFrom,
		&st.Log, &outputs, &failure, &cost, &started, &ended)
	if err != nil {
		return st, err
	}
	if len(failure) > 0 {
		st.Failure = &step.Failure{}
	}
	st.Started, st.Ended = turn.FromMicros(started), turn.FromMicros(ended)
	return st, errors.Join(decode(outputs, &st.Outputs), decode(failure, st.Failure), decode(cost, &st.Usage))
}

// Events implements driver.Reader.
func (s *Store) Events(ctx context.Context, run string, after int64) ([]driver.Event, error) {
	events, err := s.events(ctx, s.read, run, after)
	return events, s.fail(ctx, "reading the events of run "+run, err)
}

func (s *Store) events(ctx context.Context, db rowQueryer, run string, after int64) ([]driver.Event, error) {
	scan := func(rows *sql.Rows) (driver.Event, error) {
		var e driver.Event
		var at int64
		var data []byte
		err := rows.Scan(&e.Seq, &at, &e.Kind, &data)
		e.Time, e.Data = turn.FromMicros(at), raw(data)
		return e, err
	}
	return collect(ctx, db, scan, "SELECT seq, recorded, kind, document FROM proa_events WHERE run_id = ? AND seq > ? ORDER BY seq", run, after)
}

// Cached implements driver.Reader.
func (s *Store) Cached(ctx context.Context, keys []string) (map[string]driver.CacheEntry, error) {
	found := map[string]driver.CacheEntry{}
	for start := 0; start < len(keys); start += insertRows {
		some := keys[start:min(start+insertRows, len(keys))]
		var args []any
		for _, key := range some {
			args = append(args, hash(key))
		}
		entries, err := collect(ctx, s.read, scanEntry, "SELECT cache_key, run_id, step, outputs, created FROM proa_cache WHERE key_hash IN (?"+
			strings.Repeat(", ?", len(some)-1)+")", args...)
		if err != nil {
			return nil, s.fail(ctx, "looking in the cache", err)
		}
		for _, e := range entries {
			found[e.Key] = e
		}
	}
	return found, nil
}

// Cache implements driver.Cacher. The order is that of the keys' hashes.
func (s *Store) Cache(ctx context.Context, after string, limit int) ([]driver.CacheEntry, error) {
	from := ""
	if after != "" {
		from = hash(after)
	}
	entries, err := collect(ctx, s.read, scanEntry, "SELECT cache_key, run_id, step, outputs, created FROM proa_cache WHERE key_hash > ?"+
		" ORDER BY key_hash LIMIT ?", from, limit)
	return entries, s.fail(ctx, "listing the cache", err)
}

func scanEntry(rows *sql.Rows) (driver.CacheEntry, error) {
	var e driver.CacheEntry
	var outputs []byte
	var created int64
	if err := rows.Scan(&e.Key, &e.Run, &e.Step, &outputs, &created); err != nil {
		return e, err
	}
	e.Created = turn.FromMicros(created)
	return e, decode(outputs, &e.Outputs)
}

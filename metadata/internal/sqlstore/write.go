package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/turn"
)

// CreateRun implements driver.Writer.
func (s *Store) CreateRun(ctx context.Context, r driver.Run) error {
	doing := fmt.Sprintf("creating run %q (%s)", r.Name, r.ID)
	if err := turn.CheckRun(r); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	run := insert{table: "proa_runs", columns: []string{"id", "name_hash", "pipeline_hash", "status", "created", "started", "ended",
		"cancel_requested", "name", "pipeline", "stack", "orchestrator", "context", "namespace", "spec", "plan"}}
	run.add(r.ID, hash(r.Name), hash(r.Pipeline), r.Status, turn.Micros(r.Created), turn.Micros(r.Started), turn.Micros(r.Ended),
		0, r.Name, r.Pipeline, r.Stack, r.Orchestrator, r.Context, r.Namespace, string(r.Spec), string(r.Plan))
	lease := insert{table: "proa_leases", columns: []string{"run_id", "holder", "epoch", "expires", "seq"}}
	lease.add(r.ID, "", 0, 0, 0)
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := run.exec(ctx, tx); err != nil {
			return err
		}
		return lease.exec(ctx, tx)
	})
	if err != nil && s.d.IsDuplicate(err) {
		err = driver.ErrConflict
	}
	return s.fail(ctx, doing, err)
}

// lockLease reads a run's lease and the number of its last event, and keeps others from writing the run.
func (s *Store) lockLease(ctx context.Context, tx *sql.Tx, run string) (lease driver.Lease, seq int64, err error) {
	lease.Run = run
	var expires int64
	err = tx.QueryRowContext(ctx, "SELECT holder, epoch, expires, seq FROM proa_leases WHERE run_id = ?"+s.d.ForUpdate, run).
		Scan(&lease.Holder, &lease.Epoch, &expires, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = driver.ErrNotFound
	}
	lease.Expires = turn.FromMicros(expires)
	return lease, seq, err
}

// Acquire implements driver.Writer.
func (s *Store) Acquire(ctx context.Context, run, holder string, now time.Time, ttl time.Duration, force bool) (driver.Lease, error) {
	var lease driver.Lease
	err := s.tx(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockLease(ctx, tx, run)
		if err != nil {
			return err
		}
		granted := false
		if lease, granted = turn.Grant(present, holder, now, ttl, force); !granted {
			return fmt.Errorf("%q holds it: %w", lease.Holder, driver.ErrConflict)
		}
		_, err = tx.ExecContext(ctx, "UPDATE proa_leases SET holder = ?, epoch = ?, expires = ? WHERE run_id = ?",
			lease.Holder, lease.Epoch, turn.Micros(lease.Expires), run)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT cancel_requested FROM proa_runs WHERE id = ?", run).Scan(&lease.CancelRequested)
	})
	return lease, s.fail(ctx, "taking the lease of run "+run, err)
}

// Commit implements driver.Writer.
func (s *Store) Commit(ctx context.Context, c driver.Commit) error {
	doing := "committing to run " + c.Lease.Run
	if err := turn.Check(c); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.fail(ctx, doing, s.tx(ctx, func(tx *sql.Tx) error { return s.commit(ctx, tx, c) }))
}

func (s *Store) commit(ctx context.Context, tx *sql.Tx, c driver.Commit) error {
	lease, last, err := s.lockLease(ctx, tx, c.Lease.Run)
	if err != nil {
		return err
	}
	if err := turn.Fenced(c, lease.Epoch); err != nil {
		return err
	}
	var recorded []driver.Event
	if len(c.Events) > 0 && c.Events[0].Seq <= last {
		if recorded, err = s.events(ctx, tx, c.Lease.Run, c.Events[0].Seq-1); err != nil {
			return err
		}
	}
	fresh, repeated, err := turn.Fresh(last, recorded, c.Events)
	if err != nil || repeated {
		return err
	}
	if err := s.writeEvents(ctx, tx, c.Lease.Run, fresh); err != nil {
		return err
	}
	if err := s.writeRun(ctx, tx, c); err != nil {
		return err
	}
	if err := s.writeSteps(ctx, tx, c.Lease.Run, c.Steps); err != nil {
		return err
	}
	return s.writeCache(ctx, tx, c.Cache)
}

func (s *Store) writeEvents(ctx context.Context, tx *sql.Tx, run string, events []driver.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := insert{table: "proa_events", columns: []string{"run_id", "seq", "recorded", "kind", "document"}}
	for _, e := range events {
		rows.add(run, e.Seq, turn.Micros(e.Time), e.Kind, string(e.Data))
	}
	if err := rows.exec(ctx, tx); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE proa_leases SET seq = ? WHERE run_id = ?", events[len(events)-1].Seq, run)
	return err
}

func (s *Store) writeRun(ctx context.Context, tx *sql.Tx, c driver.Commit) error {
	if c.Run == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE proa_runs SET status = ?, started = ?, ended = ? WHERE id = ?",
		c.Run.Status, turn.Micros(c.Run.Started), turn.Micros(c.Run.Ended), c.Lease.Run)
	return err
}

func (s *Store) writeSteps(ctx context.Context, tx *sql.Tx, run string, steps []driver.Step) error {
	columns := []string{"run_id", "name_hash", "position", "status", "attempt", "started", "ended", "name", "attempt_name",
		"cache_key", "cached_from", "log_key", "outputs", "failure", "cost"}
	rows := insert{table: "proa_steps", columns: columns, suffix: s.d.Upsert("run_id, name_hash", columns[2:], "")}
	for _, st := range steps {
		outputs, err := encodeOutputs(st.Outputs)
		if err != nil {
			return err
		}
		failure := ""
		if st.Failure != nil {
			if failure, err = encode(st.Failure); err != nil {
				return err
			}
		}
		cost, err := encode(st.Usage)
		if err != nil {
			return err
		}
		rows.add(run, hash(st.Name), st.Index, st.Status, st.Attempt, turn.Micros(st.Started), turn.Micros(st.Ended), st.Name,
			st.AttemptName, st.CacheKey, st.CachedFrom, st.Log, outputs, failure, cost)
	}
	return rows.exec(ctx, tx)
}

// writeCache writes entries in the order of their keys, so that two commits with equal keys don't wait for each other.
func (s *Store) writeCache(ctx context.Context, tx *sql.Tx, entries []driver.CacheEntry) error {
	columns := []string{"key_hash", "cache_key", "run_id", "step", "outputs", "created"}
	rows := insert{table: "proa_cache", columns: columns, suffix: s.d.Upsert("key_hash", columns[2:], "created")}
	for _, e := range entries {
		outputs, err := encodeOutputs(e.Outputs)
		if err != nil {
			return err
		}
		rows.add(hash(e.Key), e.Key, e.Run, e.Step, outputs, turn.Micros(e.Created))
	}
	slices.SortStableFunc(rows.rows, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) }) // written above
	return rows.exec(ctx, tx)
}

// RequestCancel implements driver.Writer.
func (s *Store) RequestCancel(ctx context.Context, run string) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE proa_runs SET cancel_requested = 1 WHERE id = ?", run)
		return found(result, err)
	})
	return s.fail(ctx, "asking to cancel run "+run, err)
}

// DeleteRun implements driver.Writer.
func (s *Store) DeleteRun(ctx context.Context, run string) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		// The lease first: whoever commits has locked it.
		if err := found(tx.ExecContext(ctx, "DELETE FROM proa_leases WHERE run_id = ?", run)); err != nil {
			return err
		}
		for _, query := range []string{
			"DELETE FROM proa_events WHERE run_id = ?", "DELETE FROM proa_steps WHERE run_id = ?", "DELETE FROM proa_runs WHERE id = ?",
		} {
			if _, err := tx.ExecContext(ctx, query, run); err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail(ctx, "deleting run "+run, err)
}

// DeleteCached implements driver.Cacher.
func (s *Store) DeleteCached(ctx context.Context, keys []string) error {
	for some := range slices.Chunk(keys, insertRows) {
		var args []any
		for _, key := range some {
			args = append(args, hash(key))
		}
		err := s.tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM proa_cache WHERE key_hash IN (?"+strings.Repeat(", ?", len(some)-1)+")", args...)
			return err
		})
		if err != nil {
			return s.fail(ctx, "forgetting cached results", err)
		}
	}
	return nil
}

// found turns a statement that met no row into ErrNotFound.
func found(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = driver.ErrNotFound
	}
	return err
}

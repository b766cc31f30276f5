package e2e

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proa-ml/proa/step"
)

// record is what the database has of a run.
type record struct {
	id, name, status string
	steps            map[string]row
}

type row struct {
	status  string
	attempt int
	outputs map[string]step.Artifact
	// counted is how many of its attempts are recorded as having succeeded.
	counted int
}

func (r record) final() bool { return r.status != "" && r.status != "running" && r.status != "created" }

// succeeded counts the steps that have.
func (r record) succeeded() (count int) {
	for _, row := range r.steps {
		if row.status == "succeeded" {
			count++
		}
	}
	return count
}

func digests(r record) map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, row := range r.steps {
		all[name] = map[string]string{}
		for output, artifact := range row.outputs {
			all[name][output] = artifact.Digest
		}
	}
	return all
}

// newest reads the run that was made last; nothing while the database is away.
func newest(ts *testscript.TestScript) record {
	db := openDatabase(ts, databaseName(ts))
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := read(ctx, db)
	if err != nil {
		return record{}
	}
	return r
}

func read(ctx context.Context, db *sql.DB) (record, error) {
	r := record{steps: map[string]row{}}
	err := db.QueryRowContext(ctx, "SELECT id, name, status FROM proa_runs ORDER BY created DESC LIMIT 1").Scan(&r.id, &r.name, &r.status)
	if err != nil {
		return r, err
	}
	rows, err := db.QueryContext(ctx, "SELECT name, status, attempt, outputs FROM proa_steps WHERE run_id = ?", r.id)
	if err != nil {
		return r, err
	}
	for rows.Next() {
		var name, outputs string
		var one row
		if err := rows.Scan(&name, &one.status, &one.attempt, &outputs); err != nil {
			return r, err
		}
		if err := json.Unmarshal([]byte(cmp.Or(outputs, "{}")), &one.outputs); err != nil {
			return r, fmt.Errorf("the outputs of %s: %w", name, err)
		}
		r.steps[name] = one
	}
	if err := rows.Err(); err != nil {
		return r, err
	}
	return r, count(ctx, db, &r)
}

// count counts the outcomes that the run's history has of each step.
func count(ctx context.Context, db *sql.DB, r *record) error {
	rows, err := db.QueryContext(ctx, "SELECT document FROM proa_events WHERE run_id = ? AND kind IN ('attempt-ended', 'step-cached')", r.id)
	if err != nil {
		return err
	}
	for rows.Next() {
		var document []byte
		var event struct {
			Step    string
			Outcome step.Outcome
		}
		if err := rows.Scan(&document); err != nil {
			return err
		}
		if err := json.Unmarshal(document, &event); err != nil {
			return err
		}
		if one := r.steps[event.Step]; event.Outcome.Status == step.Succeeded {
			one.counted++
			r.steps[event.Step] = one
		}
	}
	return rows.Err()
}

// holderOf is who holds the lease of the run that was made last.
func holderOf(ts *testscript.TestScript) string {
	db := openDatabase(ts, databaseName(ts))
	defer func() { _ = db.Close() }()
	holder := ""
	_ = db.QueryRow("SELECT holder FROM proa_leases WHERE run_id = ?", newest(ts).id).Scan(&holder)
	return holder
}

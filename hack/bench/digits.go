package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	digits = "examples/digits/run.py"
	// plainDigits calls the example's steps as the plain functions they are, in one process.
	plainDigits = `
import sys
sys.path.insert(0, "examples/digits")
import run
X_train, X_test, y_train, y_test = run.importer()
model = run.trainer(X_train, y_train)
run.evaluator(X_test, y_test, model)
run.skew_comparison(X_train, X_test)
`
)

// digitsLocal compares the example on the local stack with the same functions called in one process.
func (m *measurement) digitsLocal(ctx context.Context) error {
	if err := m.proa.use(ctx, "default"); err != nil {
		return err
	}
	pipeline := func() (time.Duration, error) {
		if err := os.RemoveAll(filepath.Join(m.dir, "data")); err != nil {
			return 0, err
		}
		return m.proa.wall(ctx, "python", digits)
	}
	plain := func() (time.Duration, error) { return m.proa.wall(ctx, "python", "-c", plainDigits) }
	value, baseline, err := m.pair(pipeline, plain)
	if err != nil {
		return err
	}
	m.rows = append(m.rows, seconds("digits/local", value, baseline, "the same functions called in one process", "≤ 1.5 × and 0.3 s"))
	return nil
}

// digitsKubernetes runs the example on a warm cluster: the image is there, no result is.
func (m *measurement) digitsKubernetes(ctx context.Context) error {
	if err := m.proa.use(ctx, "k8s"); err != nil {
		return err
	}
	round := 0
	run := func() (time.Duration, error) {
		round++
		if err := m.proa.forget(ctx, round); err != nil {
			return 0, err
		}
		return m.proa.wall(ctx, "python", digits)
	}
	if _, err := run(); err != nil {
		return err
	}
	value, err := m.median(m.rounds, run)
	if err != nil {
		return err
	}
	m.rows = append(m.rows, seconds("digits/kubernetes", value, 0, "", "≤ 6 s from the command line to its end"))
	return nil
}

// forget gives the Kubernetes stack an empty metadata store, so that nothing is taken from a cache.
func (p *proa) forget(ctx context.Context, round int) error {
	_, err := p.output(ctx, "proa", "metadata-store", "update", "db", fmt.Sprintf("--database=%s_%d", p.database, round))
	return err
}

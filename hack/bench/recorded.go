package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/sqlite"
	"golang.org/x/sync/errgroup"
)

// recordedRuns is how many runs the metadata store holds whose listing is measured.
const recordedRuns = 10_000

// typed measures what a user waits for while typing: the help and a completion.
func (m *measurement) typed(ctx context.Context) error {
	for _, row := range []struct {
		name string
		args []string
	}{
		{"cli/help", []string{"--help"}},
		{"cli/completion", []string{"__complete", "stack", "set", ""}},
	} {
		value, err := m.median(20, func() (time.Duration, error) { return m.proa.wall(ctx, "proa", row.args...) })
		if err != nil {
			return err
		}
		m.rows = append(m.rows, seconds(row.name, value, 0, "", "≤ 40 ms"))
	}
	return nil
}

// recorded measures listings from a metadata store that holds many runs.
func (m *measurement) recorded(ctx context.Context) error {
	data := filepath.Join(m.dir, "many")
	if err := record(ctx, filepath.Join(data, "proa", "metadata.db"), recordedRuns); err != nil {
		return fmt.Errorf("recording runs: %w", err)
	}
	p := *m.proa
	p.env = append(slices.Clone(p.env), "XDG_DATA_HOME="+data, "PROA_CONFIG_DIR="+filepath.Join(data, "config"))
	if err := os.MkdirAll(filepath.Join(data, "config"), 0o700); err != nil {
		return err
	}
	for _, row := range []struct {
		name string
		args []string
	}{
		{"cli/runs_list_10k", []string{"runs", "list"}},
		{"cli/pipeline_list_10k", []string{"pipeline", "list"}},
	} {
		value, err := m.median(20, func() (time.Duration, error) { return p.wall(ctx, "proa", row.args...) })
		if err != nil {
			return err
		}
		m.rows = append(m.rows, seconds(row.name, value, 0, "", "≤ 150 ms"))
	}
	return nil
}

// record writes runs of several pipelines into a metadata store, with documents of the size that small pipelines have.
func record(ctx context.Context, path string, n int) (err error) {
	store, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	document := fmt.Appendf(nil, `{"steps": "%02000d"}`, 0)
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error {
			pipeline := fmt.Sprintf("pipeline_%d", i%20)
			return store.CreateRun(ctx, driver.Run{
				ID: fmt.Sprintf("%016x", i), Name: fmt.Sprintf("%s-%06d", pipeline, i), Pipeline: pipeline, Stack: "default",
				Orchestrator: "local", Status: "succeeded", Spec: document, Plan: document, Created: began.Add(time.Duration(i) * time.Minute),
			})
		})
	}
	return group.Wait()
}

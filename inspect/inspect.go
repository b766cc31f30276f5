// Package inspect is the read side: runs, their steps, artifacts and logs, as values for people and programs. It never
// writes.
package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

// Run is a run with its steps.
type Run struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Pipeline string    `json:"pipeline"`
	Stack    string    `json:"stack"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	// Steps are in the plan's order; a list of runs leaves them out.
	Steps []Step `json:"steps,omitempty"`
}

// Step is one step of a run.
type Step struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	// Attempt is the number of the latest attempt; 0 if none was needed.
	Attempt int `json:"attempt"`
	// CachedFrom is the id of the run whose result was taken.
	CachedFrom string                   `json:"cachedFrom,omitempty"`
	Outputs    map[string]step.Artifact `json:"outputs"`
	Failure    *step.Failure            `json:"failure,omitempty"`
	Started    time.Time                `json:"started,omitzero"`
	Ended      time.Time                `json:"ended,omitzero"`
}

// Read returns a run by id or name, with its steps. The error is driver.ErrNotFound if there is none.
func Read(ctx context.Context, m driver.Reader, idOrName string) (Run, error) {
	r, err := m.Run(ctx, idOrName)
	if err != nil {
		return Run{}, fmt.Errorf("reading run %q: %w", idOrName, err)
	}
	steps, err := m.Steps(ctx, r.ID)
	if err != nil {
		return Run{}, fmt.Errorf("reading the steps of run %q: %w", idOrName, err)
	}
	return withSteps(r, steps), nil
}

// List returns runs without their steps, newest first.
func List(ctx context.Context, m driver.Reader, q driver.Query) ([]Run, error) {
	rows, err := m.Runs(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	runs := make([]Run, 0, len(rows))
	for _, r := range rows {
		runs = append(runs, withSteps(r, nil))
	}
	return runs, nil
}

// Pipeline is a pipeline that has runs.
type Pipeline struct {
	Name string `json:"name"`
	Runs int    `json:"runs"`
	// Last is the newest run, without its steps.
	Last Run `json:"last"`
}

// Pipelines returns the pipelines that have runs, by name.
func Pipelines(ctx context.Context, m driver.Reader) ([]Pipeline, error) {
	rows, err := m.Pipelines(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing pipelines: %w", err)
	}
	all := make([]Pipeline, 0, len(rows))
	for _, row := range rows {
		all = append(all, Pipeline{Name: row.Name, Runs: row.Runs, Last: withSteps(row.Last, nil)})
	}
	return all, nil
}

func withSteps(r driver.Run, steps []driver.Step) Run {
	run := Run{
		ID: r.ID, Name: r.Name, Pipeline: r.Pipeline, Stack: r.Stack, Status: r.Status,
		Created: r.Created, Started: r.Started, Ended: r.Ended,
	}
	for _, s := range steps {
		outputs := s.Outputs
		if outputs == nil {
			outputs = map[string]step.Artifact{}
		}
		run.Steps = append(run.Steps, Step{
			Name: s.Name, Status: s.Status, Attempt: s.Attempt, CachedFrom: s.CachedFrom,
			Outputs: outputs, Failure: s.Failure, Started: s.Started, Ended: s.Ended,
		})
	}
	return run
}

// Produced is an artifact and what made it.
type Produced struct {
	step.Artifact
	Run    string `json:"run"`
	Step   string `json:"step"`
	Output string `json:"output"`
}

// Artifacts returns the outputs of a run's steps, in the plan's order and then by name.
func (r Run) Artifacts() []Produced {
	var all []Produced
	for _, s := range r.Steps {
		for _, name := range sortedKeys(s.Outputs) {
			all = append(all, Produced{Artifact: s.Outputs[name], Run: r.Name, Step: s.Name, Output: name})
		}
	}
	return all
}

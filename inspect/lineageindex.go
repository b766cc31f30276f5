package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// lineageIndex is what made what.
type lineageIndex struct {
	made map[string]*Made
	// alias leads from a step that took its result to the one that ran.
	alias map[string]string
	rows  map[string]map[string]driver.Step
}

func madeID(run, stepName string) string { return run + "/" + stepName }

// read reads the latest runs.
func (x *lineageIndex) read(ctx context.Context, m driver.Reader, limit int) (older bool, err error) {
	var runs []driver.Run
	for before := ""; len(runs) < limit; {
		page, err := m.Runs(ctx, driver.Query{Before: before, Limit: min(limit-len(runs), 200)})
		if err != nil {
			return false, fmt.Errorf("listing runs: %w", err)
		}
		if len(page) == 0 {
			break
		}
		runs = append(runs, page...)
		before = page[len(page)-1].Name
	}
	for _, r := range slices.Backward(runs) { // what ran comes before what took its result
		if err := x.add(ctx, m, r.ID); err != nil {
			return false, err
		}
	}
	return len(runs) == limit, nil
}

// add adds a run's steps. One that doesn't exist any more adds nothing.
func (x *lineageIndex) add(ctx context.Context, m driver.Reader, id string) error {
	if x.rows[id] != nil {
		return nil
	}
	x.rows[id] = map[string]driver.Step{}
	r, err := m.Run(ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading run %q: %w", id, err)
	}
	rows, err := m.Steps(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading the steps of run %q: %w", r.Name, err)
	}
	var p plan.Plan
	if err := json.Unmarshal(r.Plan, &p); err != nil {
		return fmt.Errorf("reading the plan of run %q: %w", r.Name, err)
	}
	for _, row := range rows {
		x.rows[id][row.Name] = row
	}
	for _, s := range p.Steps {
		if row, known := x.rows[id][s.Name]; known && len(row.Outputs)+row.Attempt > 0 {
			if err := x.addStep(ctx, m, r, s, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// addStep adds a step, or leads to the one that its result was taken from.
func (x *lineageIndex) addStep(ctx context.Context, m driver.Reader, r driver.Run, s plan.Step, row driver.Step) error {
	own := Made{ID: madeID(r.ID, s.Name), Run: r.Name, Pipeline: r.Pipeline, Step: s.Name, Outputs: row.Outputs, Inputs: []Output{}}
	for _, name := range slices.Sorted(maps.Keys(s.Inputs)) {
		in := Output{Name: name, What: step.Artifact{Digest: s.Inputs[name].Artifact}}
		if from := s.Inputs[name]; from.Step != "" {
			in.From, in.Output = x.resolve(madeID(r.ID, from.Step)), from.Output
			in.What = x.rows[r.ID][from.Step].Outputs[from.Output]
		}
		own.Inputs = append(own.Inputs, in)
	}
	if row.Attempt > 0 || row.CachedFrom == "" || row.CachedFrom == r.ID {
		x.made[own.ID] = &own
		return nil
	}
	if err := x.add(ctx, m, row.CachedFrom); err != nil {
		return err
	}
	origin := x.resolve(madeID(row.CachedFrom, x.sameKey(row)))
	if x.made[origin] == nil { // it was deleted; what it took is what this one would have taken
		gone := own
		gone.ID, gone.Run, gone.Deleted = origin, row.CachedFrom, true
		x.made[origin] = &gone
	}
	x.made[origin].TakenBy = append(x.made[origin].TakenBy, r.Name)
	x.alias[own.ID] = origin
	return nil
}

// sameKey is the name that a step had in the run that its result was taken from.
func (x *lineageIndex) sameKey(row driver.Step) string {
	for _, name := range slices.Sorted(maps.Keys(x.rows[row.CachedFrom])) {
		if other := x.rows[row.CachedFrom][name]; row.CacheKey != "" && other.CacheKey == row.CacheKey {
			return name
		}
	}
	return row.Name
}

func (x *lineageIndex) resolve(id string) string {
	if origin, known := x.alias[id]; known {
		return origin
	}
	return id
}

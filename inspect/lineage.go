package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// Lineage is where an artifact is from, and what was made of it, through all runs. A step that took its result from the cache
// is the one that ran.
type Lineage struct {
	// Asked are the outputs that were asked for.
	Asked []Output `json:"asked"`
	// Steps are all that have to do with it: those it is from first.
	Steps []Made `json:"steps"`
	// Older says that there are runs that weren't looked at.
	Older bool `json:"older,omitempty"`
}

// Made is a step that ran.
type Made struct {
	// ID is the run's id and the step's name.
	ID       string `json:"id"`
	Run      string `json:"run"`
	Pipeline string `json:"pipeline,omitempty"`
	Step     string `json:"step"`
	// Side is "upstream" or "downstream", or "asked" for what made the artifact itself.
	Side    string                   `json:"side"`
	Inputs  []Output                 `json:"inputs"`
	Outputs map[string]step.Artifact `json:"outputs"`
	// TakenBy names the runs that took the result from the cache.
	TakenBy []string `json:"takenBy,omitempty"`
	// Deleted says that the run isn't there any more.
	Deleted bool `json:"deleted,omitempty"`
}

// Output is an output of a step, and as an input what it is called there.
type Output struct {
	Name string `json:"name,omitempty"`
	// From is the ID of what made it; empty if that isn't known.
	From   string        `json:"from,omitempty"`
	Output string        `json:"output,omitempty"`
	What   step.Artifact `json:"artifact"`
}

// ReadLineage returns the lineage of an artifact by its digest, or of "RUN/STEP.OUTPUT" or "RUN/STEP". It looks at the latest runs
// only, as many as limit says, and at those that their results are from.
func ReadLineage(ctx context.Context, m driver.Reader, what string, limit int) (Lineage, error) {
	index := &lineageIndex{made: map[string]*Made{}, alias: map[string]string{}, rows: map[string]map[string]driver.Step{}}
	older, err := index.read(ctx, m, limit)
	if err != nil {
		return Lineage{}, err
	}
	asked, err := index.find(ctx, m, what)
	if err != nil {
		return Lineage{}, err
	}
	l := index.around(asked)
	l.Older = older
	return l, nil
}

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

// find returns the outputs that somebody means.
func (x *lineageIndex) find(ctx context.Context, m driver.Reader, what string) ([]Output, error) {
	runName, rest, ok := strings.Cut(what, "/")
	if !ok {
		return x.outputs(what)
	}
	r, err := m.Run(ctx, runName)
	if err != nil {
		return nil, fmt.Errorf("reading run %q: %w", runName, err)
	}
	if err := x.add(ctx, m, r.ID); err != nil {
		return nil, err
	}
	var found []Output
	for _, name := range slices.Sorted(maps.Keys(x.rows[r.ID])) {
		for _, output := range sortedKeys(x.rows[r.ID][name].Outputs) {
			if rest == name || rest == name+"."+output {
				found = append(found, Output{From: x.resolve(madeID(r.ID, name)), Output: output, What: x.rows[r.ID][name].Outputs[output]})
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("output %q of run %q: %w", rest, runName, driver.ErrNotFound)
	}
	return found, nil
}

// leastDigits is how many digits of a digest are enough, if they are of only one.
const leastDigits = 4

// outputs returns all outputs that are the artifact whose digest begins so.
func (x *lineageIndex) outputs(digest string) ([]Output, error) {
	digits := strings.TrimPrefix(digest, "sha256:")
	if len(digits) < leastDigits {
		return nil, fmt.Errorf("artifact %q: %w: at least %d digits of its digest are needed", digest, driver.ErrNotFound, leastDigits)
	}
	var found []Output
	for _, id := range slices.Sorted(maps.Keys(x.made)) {
		for _, output := range sortedKeys(x.made[id].Outputs) {
			if a := x.made[id].Outputs[output]; strings.HasPrefix(strings.TrimPrefix(a.Digest, "sha256:"), digits) {
				found = append(found, Output{From: id, Output: output, What: a})
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("artifact %s in the runs: %w", digest, driver.ErrNotFound)
	}
	for _, o := range found {
		if o.What.Digest != found[0].What.Digest {
			return nil, fmt.Errorf("artifact %s: %w: %s, %s", digest, artifact.ErrAmbiguous, found[0].What.Digest, o.What.Digest)
		}
	}
	return found, nil
}

// around collects what is up and down the stream of outputs.
func (x *lineageIndex) around(asked []Output) Lineage {
	l := Lineage{Asked: asked, Steps: []Made{}}
	seen := map[string]bool{}
	var up func(id, side string)
	up = func(id, side string) {
		s := x.made[id]
		if s == nil || seen[id] {
			return
		}
		seen[id] = true
		for _, in := range s.Inputs {
			for _, from := range x.producers(in) {
				up(from, "upstream")
			}
		}
		l.Steps = append(l.Steps, withSide(*s, side))
	}
	var down func(o Output)
	down = func(o Output) {
		for _, id := range x.consumers(o) {
			if seen[id] {
				continue
			}
			seen[id] = true
			l.Steps = append(l.Steps, withSide(*x.made[id], "downstream"))
			for _, name := range sortedKeys(x.made[id].Outputs) {
				down(Output{From: id, Output: name, What: x.made[id].Outputs[name]})
			}
		}
	}
	for _, o := range asked {
		up(o.From, "asked")
	}
	for _, o := range asked {
		down(o)
	}
	return l
}

func withSide(m Made, side string) Made {
	m.Side = side
	return m
}

// producers are what made an input: of one that was given by its digest, whatever made such an artifact.
func (x *lineageIndex) producers(in Output) []string {
	if in.From != "" {
		return []string{in.From}
	}
	var all []string
	found, err := x.outputs(in.What.Digest)
	if err != nil {
		return nil
	}
	for _, o := range found {
		all = append(all, o.From)
	}
	return all
}

// consumers are the steps that took an output.
func (x *lineageIndex) consumers(o Output) []string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(x.made)) {
		for _, in := range x.made[id].Inputs {
			given := in.From == "" && in.What.Digest == o.What.Digest
			if given || in.From == o.From && in.Output == o.Output {
				all = append(all, id)
				break
			}
		}
	}
	return all
}

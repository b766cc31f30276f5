package inspect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
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

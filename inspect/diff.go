package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
)

// Difference is one thing in which two runs differ.
type Difference struct {
	// Step is empty for what concerns the run as a whole.
	Step string `json:"step,omitempty"`
	// What is "status", "revision", "python", "code", "parameter NAME", "input NAME", "environment", "output NAME" or "step".
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// Diff tells in what two runs differ: the code, parameters, inputs and environment of their steps, and what came of them.
func Diff(ctx context.Context, m driver.Reader, a, b string) ([]Difference, error) {
	first, err := readWhole(ctx, m, a)
	if err != nil {
		return nil, err
	}
	second, err := readWhole(ctx, m, b)
	if err != nil {
		return nil, err
	}
	d := &differ{}
	d.compare("", "pipeline", first.run.Pipeline, second.run.Pipeline)
	d.compare("", "stack", first.run.Stack, second.run.Stack)
	d.compare("", "status", first.run.Status, second.run.Status)
	d.compare("", "revision", first.plan.Revision, second.plan.Revision)
	d.compare("", "python", first.spec.Source.Python, second.spec.Source.Python)
	d.maps("", "parameter", texts(first.spec.Parameters), texts(second.spec.Parameters))
	for _, name := range union(first.steps, second.steps) {
		x, inA := first.steps[name]
		y, inB := second.steps[name]
		if inA != inB {
			d.add(name, "step", presence(inA), presence(inB))
			continue
		}
		d.step(name, x, y)
	}
	return d.found, nil
}

// whole is all that is compared of a run.
type whole struct {
	run   driver.Run
	spec  spec.Pipeline
	plan  plan.Plan
	steps map[string]facts
}

// facts are what is compared of a step.
type facts struct {
	plan plan.Step
	spec spec.Step
	row  driver.Step
	// environment identifies what the step runs in.
	environment string
}

func readWhole(ctx context.Context, m driver.Reader, name string) (whole, error) {
	w := whole{steps: map[string]facts{}}
	var err error
	if w.run, err = m.Run(ctx, name); err != nil {
		return w, fmt.Errorf("reading run %q: %w", name, err)
	}
	rows, err := m.Steps(ctx, w.run.ID)
	if err != nil {
		return w, fmt.Errorf("reading the steps of run %q: %w", name, err)
	}
	if err := json.Unmarshal(w.run.Plan, &w.plan); err != nil {
		return w, fmt.Errorf("reading the plan of run %q: %w", name, err)
	}
	if err := json.Unmarshal(w.run.Spec, &w.spec); err != nil {
		return w, fmt.Errorf("reading the spec of run %q: %w", name, err)
	}
	for _, s := range w.plan.Steps {
		w.steps[s.Name] = facts{plan: s, environment: s.Image}
	}
	for _, s := range w.spec.Steps {
		f := w.steps[s.Name]
		f.spec = s
		w.steps[s.Name] = f
	}
	for _, row := range rows {
		f := w.steps[row.Name]
		f.row = row
		w.steps[row.Name] = f
	}
	return w, nil
}

// differ collects differences.
type differ struct{ found []Difference }

func (d *differ) add(stepName, what, a, b string) {
	d.found = append(d.found, Difference{Step: stepName, What: what, A: a, B: b})
}

func (d *differ) compare(stepName, what, a, b string) {
	if a != b {
		d.add(stepName, what, a, b)
	}
}

func (d *differ) maps(stepName, what string, a, b map[string]string) {
	for _, key := range union(a, b) {
		d.compare(stepName, what+" "+key, a[key], b[key])
	}
}

func (d *differ) step(name string, a, b facts) {
	d.compare(name, "code", code(a.spec), code(b.spec))
	d.maps(name, "parameter", texts(a.plan.Parameters), texts(b.plan.Parameters))
	d.maps(name, "input", sources(a.plan.Inputs), sources(b.plan.Inputs))
	d.compare(name, "environment", a.environment, b.environment)
	d.compare(name, "status", outcome(a.row), outcome(b.row))
	d.maps(name, "output", results(a.row), results(b.row))
}

func code(s spec.Step) string {
	if s.Run.Python == nil {
		return ""
	}
	return s.Run.Python.Digest
}

// outcome is a step's status, in which having run and having been taken from the cache are one, and its failure.
func outcome(row driver.Step) string {
	status := row.Status
	if status == "cached" {
		status = "succeeded"
	}
	if row.Failure != nil {
		status += ": " + row.Failure.Message
	}
	return status
}

func texts(values map[string]json.RawMessage) map[string]string {
	all := make(map[string]string, len(values))
	for name, value := range values {
		all[name] = string(value)
	}
	return all
}

func sources(inputs map[string]spec.Input) map[string]string {
	all := make(map[string]string, len(inputs))
	for name, in := range inputs {
		all[name] = in.Artifact
		if in.Step != "" {
			all[name] = in.Step + "." + in.Output
		}
	}
	return all
}

// results are a step's outputs: the preview for people, and the digest where two previews are equal.
func results(row driver.Step) map[string]string {
	all := make(map[string]string, len(row.Outputs))
	for name, a := range row.Outputs {
		all[name] = fmt.Sprintf("%s (%.19s)", a.Preview, a.Digest)
	}
	return all
}

func presence(there bool) string {
	if there {
		return "there"
	}
	return "missing"
}

func union[V any](a, b map[string]V) []string {
	keys := maps.Clone(a)
	if keys == nil {
		keys = map[string]V{}
	}
	maps.Copy(keys, b)
	return slices.Sorted(maps.Keys(keys))
}

package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
)

// Diff is in what two runs differ: what their steps are made of, and what came of them. What is equal isn't in it.
type Diff struct {
	// A and B are the runs, without their steps.
	A Run `json:"a"`
	B Run `json:"b"`
	// Run is what concerns the runs as a whole.
	Run []Change `json:"run"`
	// Environments are what steps run in; steps with the same changes stand together.
	Environments []EnvironmentDiff `json:"environments"`
	// Steps are those that differ in something else, in the order of B; those that only A has come last.
	Steps []StepDiff `json:"steps"`
	// Equal names the steps that don't differ in anything.
	Equal []string `json:"equal"`
}

// EnvironmentDiff is in what the environment of some steps differs.
type EnvironmentDiff struct {
	Steps   []string `json:"steps"`
	Changes []Change `json:"changes"`
}

// StepDiff is in what a step differs.
type StepDiff struct {
	Name string `json:"name"`
	// Only is "a" or "b" if the other run has no such step.
	Only    string   `json:"only,omitempty"`
	Changes []Change `json:"changes"`
}

// Change is one thing that differs. What a run doesn't have is empty there.
type Change struct {
	// What it is, such as "code" or "parameter", and Name which one, if there may be several.
	What string `json:"what"`
	Name string `json:"name,omitempty"`
	// A and B are the values: digests of code and of artifacts, JSON of parameters and settings, and otherwise text.
	A string `json:"a"`
	B string `json:"b"`
	// PreviewA and PreviewB show artifacts to people.
	PreviewA string `json:"previewA,omitempty"`
	PreviewB string `json:"previewB,omitempty"`
	// Definitions are what the code's change is made of, as far as both specs tell.
	Definitions []Definition `json:"definitions,omitempty"`
	// Because is what an input, or a result, differs for: the first causes, wherever in the graph they are.
	Because []Cause `json:"because,omitempty"`
}

// Definition is a function, class or value that a step's code is made of: "module:name", or "import module.name".
type Definition struct {
	Name string `json:"name"`
	// Change is "changed", "added" or "removed".
	Change string `json:"change"`
}

// The things that may differ and that more than one place has to know.
const (
	whatCode        = "code"
	whatParameter   = "parameter"
	whatInput       = "input"
	whatSource      = "source"
	whatOutput      = "output"
	whatEnvironment = "environment"
	whatStatus      = "status"
	whatAttempts    = "attempts"
	whatTook        = "took"
	whatImage       = "image"
	whatRevision    = "revision"
)

// ReadDiff tells in what two runs differ, by id or name.
func ReadDiff(ctx context.Context, m driver.Reader, a, b string) (Diff, error) {
	first, err := readWhole(ctx, m, a)
	if err != nil {
		return Diff{}, err
	}
	second, err := readWhole(ctx, m, b)
	if err != nil {
		return Diff{}, err
	}
	d := &differ{a: first, b: second, causes: map[string][]Cause{}, environments: map[string][]Change{}, pairs: map[[2]string][]Change{}}
	return d.diff(), nil
}

// Differs says that the runs differ in more than in how long they took and what they are called: times, numbers of attempts, the
// commit that the code is from, and the digest of an image that holds other files don't count.
func (d Diff) Differs() bool {
	counts := func(c Change) bool {
		return !slices.Contains([]string{whatAttempts, whatTook, whatRevision, whatImage}, c.What)
	}
	return len(d.Environments) > 0 || d.A.Status != d.B.Status || slices.ContainsFunc(d.Run, counts) ||
		slices.ContainsFunc(d.Steps, func(s StepDiff) bool { return s.Only != "" || slices.ContainsFunc(s.Changes, counts) })
}

// whole is all that is compared of a run.
type whole struct {
	run   driver.Run
	spec  spec.Pipeline
	plan  plan.Plan
	order []string
	steps map[string]facts
}

// facts are what is compared of a step.
type facts struct {
	plan plan.Step
	spec spec.Step
	row  driver.Step
	// image describes what the step runs in, and variables are what its process has besides.
	image     plan.Image
	variables map[string]string
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
		w.order = append(w.order, s.Name)
		w.steps[s.Name] = facts{plan: s}
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
	return w, w.describe()
}

// describe finds out what the steps run in. A run of processes has no images, but its spec says what they would be made of, and
// the processes are taken to have it.
func (w *whole) describe() error {
	described, err := plan.New(&w.spec, plan.Target{Images: true})
	if err != nil {
		return fmt.Errorf("reading the spec of run %q: %w", w.run.Name, err)
	}
	for _, s := range described.Steps {
		f := w.steps[s.Name]
		f.variables = s.Env
		f.image = *described.Image(s.Image)
		if built := w.plan.Image(f.plan.Image); built != nil {
			f.image = *built
		}
		f.image.Steps = nil
		w.steps[s.Name] = f
	}
	return nil
}

// differ compares two runs.
type differ struct {
	a, b whole
	// causes are what was found out about steps whose results differ.
	causes map[string][]Cause
	// environments are the changes of what a step runs in, by the step's name.
	environments map[string][]Change
	// pairs are the changes between two images, by their keys: most steps share one.
	pairs map[[2]string][]Change
}

func (d *differ) diff() Diff {
	out := Diff{
		A: withSteps(d.a.run, nil), B: withSteps(d.b.run, nil), Run: d.whole(),
		Environments: []EnvironmentDiff{}, Steps: []StepDiff{}, Equal: []string{},
	}
	names := slices.Clone(d.b.order)
	for _, name := range d.a.order {
		if _, both := d.b.steps[name]; !both {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if d.inBoth(name) {
			d.environments[name] = d.environment(name)
		}
	}
	for _, name := range names {
		s := d.step(name)
		if s.Only != "" || len(s.Changes) > 0 {
			out.Steps = append(out.Steps, s)
		} else if len(d.environments[name]) == 0 {
			out.Equal = append(out.Equal, name)
		}
	}
	out.Environments = append(out.Environments, d.grouped(names)...)
	return out
}

func (d *differ) inBoth(name string) bool {
	_, inA := d.a.steps[name]
	_, inB := d.b.steps[name]
	return inA && inB
}

// whole compares what concerns the runs as a whole.
func (d *differ) whole() []Change {
	a, b := d.a, d.b
	c := changes{}
	c.compare("pipeline", "", a.run.Pipeline, b.run.Pipeline)
	c.compare("stack", "", a.run.Stack, b.run.Stack)
	c.compare("orchestrator", "", a.run.Orchestrator, b.run.Orchestrator)
	c.compare("context", "", a.run.Context, b.run.Context)
	c.compare("namespace", "", a.run.Namespace, b.run.Namespace)
	c.compare(whatRevision, "", a.plan.Revision, b.plan.Revision)
	if minorOf(a.spec.Source.Python) == minorOf(b.spec.Source.Python) { // otherwise the environments say so
		c.compare("python", "", a.spec.Source.Python, b.spec.Source.Python)
	}
	c.maps(whatParameter, texts(a.spec.Parameters), texts(b.spec.Parameters))
	c.maps("setting", texts(a.plan.Settings), texts(b.plan.Settings))
	c = append(c, d.images()...)
	return append([]Change{}, c...)
}

func minorOf(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

// changes collects what differs.
type changes []Change

func (c *changes) compare(what, name, a, b string) {
	if a != b {
		*c = append(*c, Change{What: what, Name: name, A: a, B: b})
	}
}

func (c *changes) maps(what string, a, b map[string]string) {
	for _, key := range union(a, b) {
		c.compare(what, key, a[key], b[key])
	}
}

// texts are JSON values as text, by name.
func texts(values map[string]json.RawMessage) map[string]string {
	all := make(map[string]string, len(values))
	for name, value := range values {
		all[name] = string(value)
	}
	return all
}

func union[V any](a, b map[string]V) []string {
	keys := slices.Collect(maps.Keys(a))
	keys = slices.AppendSeq(keys, maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

package inspect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// twin is one of two runs that are equal until a test changes one: load gives rows, train makes a model of them, and report, after
// it, tells of it.
type twin struct {
	spec   spec.Pipeline
	target plan.Target
	rows   map[string]*driver.Step
	// status is the run's, change is made to its plan.
	status string
	change func(*plan.Plan)
}

func newTwin() *twin {
	function := func(name, code string) spec.Run {
		return spec.Run{Python: &spec.Python{Source: "run:" + name, Digest: digest(code)}}
	}
	row := func(c, preview string) *driver.Step {
		out := map[string]step.Artifact{"output": {Digest: digest(c), Preview: preview}}
		return &driver.Step{Status: "succeeded", Attempt: 1, Outputs: out, Started: begin, Ended: begin.Add(400 * time.Millisecond)}
	}
	output := []spec.Output{{Name: "output"}}
	return &twin{
		status: "succeeded",
		target: plan.Target{StepSettings: []string{"isolation"}},
		rows:   map[string]*driver.Step{"load": row("a", "[1, 2]"), "train": row("b", "0.5"), "report": row("c", "fine")},
		spec: spec.Pipeline{
			Name: "training", Source: spec.Source{Python: "3.11.7", Code: map[string]map[string]string{
				digest("1"): {"run:load": "11"}, digest("2"): {"run:train": "21", "run:RATE": "22", "import numpy": ""},
			}},
			Settings: &spec.Settings{Docker: &spec.Docker{Requirements: []string{"scikit-learn==1.4", "pandas"}}},
			Steps: []spec.Step{
				{Name: "load", Run: function("load", "1"), Parameters: map[string]json.RawMessage{"rows": json.RawMessage("2")}, Outputs: output},
				{Name: "train", Run: function("train", "2"), Inputs: map[string]spec.Input{"data": {Step: "load", Output: "output"}}, Outputs: output},
				{Name: "report", Run: function("report", "3"), Inputs: map[string]spec.Input{"model": {Step: "train", Output: "output"}}, Outputs: output},
			},
		},
	}
}

// gives has a step give another result.
func (w *twin) gives(name, c, preview string) {
	w.rows[name].Outputs["output"] = step.Artifact{Digest: digest(c), Preview: preview}
}

func (w *twin) add(t *testing.T, m *memory.Store, id string) {
	t.Helper()
	p, err := plan.New(&w.spec, w.target)
	if err != nil {
		t.Fatal(err)
	}
	if w.change != nil {
		w.change(p)
	}
	frozen, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(w.spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CreateRun(t.Context(), driver.Run{ID: id, Name: "run-" + id, Pipeline: w.spec.Name, Status: "pending", Spec: data, Plan: frozen, Created: begin}); err != nil {
		t.Fatal(err)
	}
	lease, err := m.Acquire(t.Context(), id, "h", begin, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	commit := driver.Commit{Lease: lease, Run: &driver.Run{Status: w.status}}
	for i, s := range p.Steps {
		if row := w.rows[s.Name]; row != nil {
			row.Run, row.Name, row.Index = id, s.Name, i
			commit.Steps = append(commit.Steps, *row)
		}
	}
	if err := m.Commit(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

// told is a diff as lines, in which digests are their first letter.
func told(d Diff) []string {
	lines := []string{}
	add := func(where string, all []Change) {
		for _, c := range all {
			line := strings.TrimSpace(fmt.Sprintf("%s: %s %s", where, c.What, c.Name)) + fmt.Sprintf(": %s -> %s", c.A, c.B)
			if c.PreviewA+c.PreviewB != "" {
				line += fmt.Sprintf(" (%s -> %s)", c.PreviewA, c.PreviewB)
			}
			for _, part := range c.Definitions {
				line += fmt.Sprintf(", %s %s", part.Name, part.Change)
			}
			for _, cause := range c.Because {
				line += ", because " + cause.String()
			}
			for _, letter := range "0123456789abcdefghij" {
				line = strings.ReplaceAll(line, digest(string(letter)), string(letter))
			}
			lines = append(lines, line)
		}
	}
	add("run", d.Run)
	for _, e := range d.Environments {
		add("environment of "+strings.Join(e.Steps, ","), e.Changes)
	}
	for _, s := range d.Steps {
		if s.Only != "" {
			lines = append(lines, s.Name+": only in "+s.Only)
		}
		add(s.Name, s.Changes)
	}
	return append(lines, "equal: "+strings.Join(d.Equal, ","))
}

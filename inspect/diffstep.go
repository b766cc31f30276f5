package inspect

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// step compares all of a step but its environment.
func (d *differ) step(name string) StepDiff {
	a, inA := d.a.steps[name]
	b, inB := d.b.steps[name]
	out := StepDiff{Name: name, Changes: []Change{}}
	switch {
	case !inB:
		out.Only = "a"
		return out
	case !inA:
		out.Only = "b"
		return out
	}
	c := d.made(name)
	c = append(c, d.inputs(name)...)
	explained := len(c) > 0
	c = append(c, handled(a, b)...)
	c.compare(whatStatus, "", outcome(a.row), outcome(b.row))
	if a.row.Attempt > 0 && b.row.Attempt > 0 {
		c.compare(whatAttempts, "", strconv.Itoa(a.row.Attempt), strconv.Itoa(b.row.Attempt))
	}
	results := d.results(name, explained)
	c = append(c, took(a.row, b.row, len(c)+len(results) > 0)...)
	out.Changes = append(out.Changes, append(c, results...)...)
	return out
}

// made compares what a step's result depends on besides its inputs and its environment.
func (d *differ) made(name string) changes {
	a, b := d.a.steps[name], d.b.steps[name]
	c := changes{}
	c.compare("function", "", a.plan.Source, b.plan.Source)
	if x, y := code(a.spec), code(b.spec); x != y {
		c = append(c, Change{What: whatCode, A: x, B: y, Definitions: d.definitions(x, y)})
	}
	c.maps(whatParameter, texts(a.plan.Parameters), texts(b.plan.Parameters))
	c.compare("secrets", "", strings.Join(a.plan.Secrets, ", "), strings.Join(b.plan.Secrets, ", "))
	x, y := declared(a.plan.Outputs), declared(b.plan.Outputs)
	for _, output := range union(x, y) {
		c.compare("type", output, x[output].Type, y[output].Type)
		if own, other := materializer(x[output]), materializer(y[output]); own != other {
			c = append(c, Change{What: "materializer", Name: output, A: own, B: other, Definitions: d.definitions(x[output].Digest, y[output].Digest)})
		}
	}
	return c
}

func code(s spec.Step) string {
	if s.Run.Python == nil {
		return ""
	}
	return s.Run.Python.Digest
}

// definitions compares the parts of the code behind two digests; nil if those of one of them aren't known.
func (d *differ) definitions(first, second string) []Definition {
	a, b := d.a.spec.Source.Code[first], d.b.spec.Source.Code[second]
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	var all []Definition
	for _, name := range union(a, b) {
		x, inA := a[name]
		y, inB := b[name]
		switch {
		case !inA:
			all = append(all, Definition{name, "added"})
		case !inB:
			all = append(all, Definition{name, "removed"})
		case x != y:
			all = append(all, Definition{name, "changed"})
		}
	}
	return all
}

func declared(outputs []spec.Output) map[string]spec.Output {
	all := make(map[string]spec.Output, len(outputs))
	for _, o := range outputs {
		all[o.Name] = o
	}
	return all
}

func materializer(o spec.Output) string { return strings.TrimSpace(o.Materializer + " " + o.Digest) }

// inputs compares where inputs are from and what they are. One that isn't known, since the step before it gave none, is not.
func (d *differ) inputs(name string) changes {
	a, b := d.a.steps[name].plan.Inputs, d.b.steps[name].plan.Inputs
	c := changes{}
	for _, input := range union(a, b) {
		if a[input].Step+b[input].Step != "" {
			c.compare(whatSource, input, source(a[input]), source(b[input]))
		}
		x, y := d.a.artifact(a[input]), d.b.artifact(b[input])
		if x.Digest == y.Digest || x.Digest == "" || y.Digest == "" {
			continue
		}
		change := artifacts(whatInput, input, x, y)
		switch {
		case a[input].Step+b[input].Step == "": // both were given
		case a[input] != b[input]:
			change.Because = []Cause{{Step: name, What: whatSource, Name: input}}
		default:
			change.Because = d.because(a[input].Step)
		}
		c = append(c, change)
	}
	return c
}

func source(in spec.Input) string {
	if in.Step != "" {
		return in.Step + "." + in.Output
	}
	return in.Artifact
}

// artifact is what an input is; empty if that isn't known.
func (w whole) artifact(in spec.Input) step.Artifact {
	if in.Step == "" {
		return step.Artifact{Digest: in.Artifact}
	}
	return w.steps[in.Step].row.Outputs[in.Output]
}

func artifacts(what, name string, a, b step.Artifact) Change {
	return Change{What: what, Name: name, A: a.Digest, B: b.Digest, PreviewA: a.Preview, PreviewB: b.Preview}
}

// handled compares how a step is run, of which its result doesn't depend.
func handled(a, b facts) changes {
	c := changes{}
	c.maps("resource", fields(a.spec.Resources), fields(b.spec.Resources))
	c.maps("setting", texts(a.plan.Settings), texts(b.plan.Settings))
	c.maps("retry", fields(a.spec.Retry), fields(b.spec.Retry))
	c.compare("timeout", "", a.spec.Timeout, b.spec.Timeout)
	c.compare("cache", "", onOff(a.plan.Cache), onOff(b.plan.Cache))
	c.compare("after", "", strings.Join(a.spec.After, ", "), strings.Join(b.spec.After, ", "))
	return c
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// fields are those of a document, each as JSON, and as it is if it is a text.
func fields(document any) map[string]string {
	data, err := json.Marshal(document)
	if err != nil {
		return nil // can't be: it came from JSON
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return nil // as above
	}
	all := texts(values)
	for name, value := range values {
		var text string
		if json.Unmarshal(value, &text) == nil {
			all[name] = text
		}
	}
	return all
}

// outcome is a step's status, in which having run and having been taken from the cache are one, and its failure.
func outcome(row driver.Step) string {
	status := row.Status
	if status == "cached" {
		status = "succeeded"
	}
	if f := row.Failure; f != nil {
		status += " (" + string(f.Kind) + "): "
		if f.Type != "" {
			status += f.Type + ": "
		}
		status += f.Message
	}
	return status
}

// took compares how long a step ran, if it ran in both runs. Of one that is equal otherwise, only much more time is told.
func took(a, b driver.Step, differs bool) changes {
	x, y := ran(a), ran(b)
	less, more := min(x, y), max(x, y)
	if less <= 0 || !differs && (more < 2*less || more-less < time.Second) {
		return nil
	}
	c := changes{}
	c.compare(whatTook, "", Duration(x), Duration(y))
	return c
}

func ran(row driver.Step) time.Duration {
	if row.Attempt == 0 || row.Started.IsZero() || row.Ended.IsZero() {
		return 0
	}
	return row.Ended.Sub(row.Started)
}

// results compares what came of a step. Where what it is made of and its inputs don't explain it, it is said why.
func (d *differ) results(name string, explained bool) changes {
	a, b := d.a.steps[name].row.Outputs, d.b.steps[name].row.Outputs
	c := changes{}
	for _, output := range union(a, b) {
		if a[output].Digest == b[output].Digest {
			continue
		}
		change := artifacts(whatOutput, output, a[output], b[output])
		if change.A != "" && change.B != "" && !explained {
			change.Because = d.because(name)
		}
		c = append(c, change)
	}
	return c
}

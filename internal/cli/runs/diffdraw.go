package runs

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/text"
)

// usualWidth is how wide lines get where there is no terminal; what is longer is broken up, but not cut.
const usualWidth = 80

// diffDrawing draws in what runs differ, as lines of at most width columns.
type diffDrawing struct {
	strings.Builder
	width  int
	cut    bool
	styled bool
}

// drawDiff draws for people. Lines are cut to a width, unless that is 0.
func drawDiff(d inspect.Diff, width int, styled bool) string {
	w := &diffDrawing{width: cmp.Or(width, usualWidth), cut: width > 0, styled: styled}
	w.line(text.Red, "- "+heading(d.A))
	w.line(text.Green, "+ "+heading(d.B))
	w.changes(d.Run, "")
	for _, e := range d.Environments {
		w.line("", "")
		w.line(text.Bold, "environment of "+inspect.Names(e.Steps, 3))
		w.changes(e.Changes, "")
	}
	for _, s := range d.Steps {
		if s.Only == "" {
			w.line("", "")
			w.line(text.Bold, inspect.Label(s.Name))
			w.changes(s.Changes, s.Name)
		}
	}
	w.unique(d.Steps)
	w.line("", "")
	w.line("", verdictOn(d))
	return w.String()
}

// heading is a run on a line.
func heading(r inspect.Run) string {
	line := r.Name + "  " + r.Status
	if !r.Started.IsZero() && !r.Ended.IsZero() {
		line += " in " + inspect.Duration(r.Ended.Sub(r.Started))
	}
	return line
}

// unique draws the steps that only one of the runs has.
func (w *diffDrawing) unique(steps []inspect.StepDiff) {
	first := true
	for _, s := range steps {
		if s.Only == "" {
			continue
		}
		if first {
			w.line("", "")
		}
		first = false
		if s.Only == "a" {
			w.line(text.Red, "- step "+inspect.Label(s.Name))
		} else {
			w.line(text.Green, "+ step "+inspect.Label(s.Name))
		}
	}
}

func verdictOn(d inspect.Diff) string {
	different := len(d.Steps)
	for _, e := range d.Environments {
		different += len(e.Steps)
	}
	switch n := len(d.Equal); {
	case different == 0 && len(d.Run) == 0:
		return "The runs are equal in code, parameters, inputs, environment and results."
	case different == 0:
		return "All steps are equal in code, parameters, inputs, environment and results."
	case n == 0:
		return "No step is equal."
	case n == 1:
		return "1 step is equal: " + inspect.Label(d.Equal[0])
	default:
		return fmt.Sprintf("%d steps are equal: %s", n, inspect.Names(d.Equal, 5))
	}
}

// changes draws what differs, of a step if there is one.
func (w *diffDrawing) changes(all []inspect.Change, step string) {
	for _, c := range all {
		label := "  " + strings.TrimSpace(c.What+" "+inspect.Label(c.Name)) + "  "
		a, b := values(c)
		if whole := label + a + " -> " + b; text.Width(whole) <= w.width {
			w.line("", whole)
		} else {
			w.line("", strings.TrimRight(label, " "))
			w.line(text.Red, "    - "+a)
			w.line(text.Green, "    + "+b)
		}
		for _, words := range definitions(c.Definitions) {
			w.line("", "    "+words)
		}
		w.because(c.Because, step)
	}
}

// because draws causes; those that a step has itself don't name it.
func (w *diffDrawing) because(causes []inspect.Cause, step string) {
	const most = 3
	for i, c := range causes {
		if i == most {
			w.line("", fmt.Sprintf("    and %d more changes", len(causes)-most))
			return
		}
		words := "    because "
		if i > 0 {
			words = "    and because "
		}
		if c.Step == step && c.What == "environment" {
			w.line("", words+"its environment changed")
			continue
		}
		w.line("", words+c.String())
	}
}

// definitions are the parts of code that changed, as lines.
func definitions(all []inspect.Definition) []string {
	const most = 5
	var lines []string
	for i, d := range all {
		if i == most {
			return append(lines, fmt.Sprintf("and %d more", len(all)-most))
		}
		lines = append(lines, inspect.Label(strings.ReplaceAll(d.Name, ":", ".")+" "+d.Change))
	}
	return lines
}

// values are the two sides of a change for people. Artifacts are shown by their previews, where these tell them apart.
func values(c inspect.Change) (a, b string) {
	a, b = c.A, c.B
	switch {
	case c.PreviewA != c.PreviewB:
		a, b = cmp.Or(c.PreviewA, c.A), cmp.Or(c.PreviewB, c.B)
	case c.PreviewA != "":
		a, b = c.PreviewA+" "+c.A, c.PreviewB+" "+c.B
	}
	return value(a), value(b)
}

var longDigest = regexp.MustCompile(`\b([0-9a-f]{12})([0-9a-f]{28}|[0-9a-f]{52})\b`)

// value is one side of a change on a line, with digests and commits shortened.
func value(full string) string {
	if full == "" {
		return "(none)"
	}
	return longDigest.ReplaceAllString(inspect.Label(inspect.Printable(full)), "$1")
}

// line writes a line, cut and painted.
func (w *diffDrawing) line(color, words string) {
	if w.cut {
		words = text.Clip(words, w.width)
	}
	if w.styled && color != "" {
		words = text.Paint(color, words)
	}
	w.WriteString(words + "\n")
}

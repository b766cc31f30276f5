package runs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/text"
)

func digestOf(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func aDiff() inspect.Diff {
	began := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	return inspect.Diff{
		A: inspect.Run{Name: "training-2026-11-24-11-50-59-470466", Status: "failed", Started: began, Ended: began.Add(1200 * time.Millisecond)},
		B: inspect.Run{Name: "training-2026-11-24-11-52-01-123456", Status: "running"},
		Run: []inspect.Change{
			{What: "revision", A: strings.Repeat("1a", 20), B: strings.Repeat("2b", 20) + "-dirty"},
			{What: "parameter", Name: "rows", B: "3"},
		},
		Environments: []inspect.EnvironmentDiff{{
			Steps:   []string{"load", "fit", "score", "report", "publish"},
			Changes: []inspect.Change{{What: "requirement", Name: "pandas", A: "pandas==2.1", B: "pandas==2.2"}},
		}},
		Steps: []inspect.StepDiff{
			{Name: "fit\nall", Changes: []inspect.Change{
				{What: "code", A: digestOf("a"), B: digestOf("b"), Definitions: []inspect.Definition{{Name: "run:fit", Change: "changed"}, {Name: "import numpy", Change: "added"}}},
				{What: "input", Name: "data", A: digestOf("c"), B: digestOf("d"), PreviewA: "list of 3", PreviewB: "list of 3", Because: []inspect.Cause{
					{Step: "load", What: "parameter", Name: "rows"}, {Step: "load", What: "code"}, {Step: "split", What: "result"}, {Step: "x", What: "code"}, {Step: "y", What: "code"}}},
				{What: "status", A: "failed (user): ValueError: " + strings.Repeat("too much ", 20), B: "running"},
				{What: "output", Name: "model", B: digestOf("e"), PreviewB: "SVC\x1b[31m", Because: []inspect.Cause{{Step: "fit\nall", What: "environment"}}},
			}},
			{Name: "old", Only: "a"}, {Name: "new", Only: "b"},
		},
		Equal: []string{"a", "b", "c", "d", "e", "f"},
	}
}

func TestDrawDiff(t *testing.T) {
	want := `- training-2026-11-24-11-50-59-470466  failed in 1.2s
+ training-2026-11-24-11-52-01-123456  running
  revision  1a1a1a1a1a1a -> 2b2b2b2b2b2b-dirty
  parameter rows  (none) -> 3

environment of load, fit, score and 2 more
  requirement pandas  pandas==2.1 -> pandas==2.2

fit all
  code  sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb
    run.fit changed
    import numpy added
  input data  list of 3 sha256:cccccccccccc -> list of 3 sha256:dddddddddddd
    because the parameter rows of load changed
    and because the code of load changed
    and because split gave another result of equal work
    and 2 more changes
  status
    - failed (user): ValueError: too much too much too much too much too much t…
    + running
  output model  (none) -> SVC�[31m
    because its environment changed

- step old
+ step new

6 steps are equal: a, b, c, d, e and 1 more
`
	if diff := cmp.Diff(want, drawDiff(aDiff(), 80, false)); diff != "" {
		t.Error(diff)
	}
	for _, width := range []int{40, 80, 120} {
		for line := range strings.Lines(drawDiff(aDiff(), width, false)) {
			if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns on a terminal of %d: %s", n, width, line)
			}
		}
	}
	whole := drawDiff(aDiff(), 0, false)
	if !strings.Contains(whole, strings.TrimSpace(strings.Repeat("too much ", 20))) || strings.Contains(whole, "…") {
		t.Errorf("without a terminal nothing is cut:\n%s", whole)
	}
	if styled := drawDiff(aDiff(), 80, true); !strings.Contains(styled, "\x1b[31m- step old\x1b[0m\n\x1b[32m+ step new") {
		t.Errorf("no colours: %q", styled)
	}
}

func TestDrawEqualRuns(t *testing.T) {
	for want, d := range map[string]inspect.Diff{
		"The runs are equal in code, parameters, inputs, environment and results.": {Equal: []string{"a"}},
		"All steps are equal in code, parameters, inputs, environment and results.": {
			Equal: []string{"a"}, Run: []inspect.Change{{What: "revision", A: "a", B: "b"}}},
		"No step is equal.":       {Steps: []inspect.StepDiff{{Name: "a", Only: "b"}}},
		"1 step is equal: a":      {Steps: []inspect.StepDiff{{Name: "b", Only: "b"}}, Equal: []string{"a"}},
		"2 steps are equal: a, b": {Environments: []inspect.EnvironmentDiff{{Steps: []string{"c"}}}, Equal: []string{"a", "b"}},
	} {
		lines := strings.Split(strings.TrimSpace(drawDiff(d, 80, false)), "\n")
		if got := lines[len(lines)-1]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

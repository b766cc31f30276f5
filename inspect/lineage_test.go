package inspect

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// family is a store with three runs: the first loads, splits and trains; the second takes load and split from the cache, under
// another name, and trains anew; the third is given the second's model by its digest.
func family(t *testing.T) *memory.Store {
	t.Helper()
	m := memory.New()
	n := 0
	add := func(id string, steps []plan.Step, rows []driver.Step) {
		n++
		frozen, err := json.Marshal(plan.Plan{Steps: steps})
		if err != nil {
			t.Fatal(err)
		}
		created := begin.Add(time.Duration(n) * time.Minute)
		if err := m.CreateRun(t.Context(), driver.Run{ID: id, Name: "run-" + id, Pipeline: "p", Status: "pending", Plan: frozen, Created: created}); err != nil {
			t.Fatal(err)
		}
		lease, err := m.Acquire(t.Context(), id, "h", created, time.Minute, false)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			rows[i].Run, rows[i].Index = id, i
		}
		if err := m.Commit(t.Context(), driver.Commit{Lease: lease, Run: &driver.Run{Status: "succeeded"}, Steps: rows}); err != nil {
			t.Fatal(err)
		}
	}
	out := func(name, c, preview string) map[string]step.Artifact {
		return map[string]step.Artifact{name: {Digest: digest(c), Preview: preview}}
	}
	from := func(s, o string) spec.Input { return spec.Input{Step: s, Output: o} }
	add("1", []plan.Step{
		{Name: "load"}, {Name: "split", Inputs: map[string]spec.Input{"table": from("load", "output")}},
		{Name: "train", Inputs: map[string]spec.Input{"rows": from("split", "output")}},
	}, []driver.Step{
		{Name: "load", Status: "succeeded", Attempt: 1, CacheKey: "k1", Outputs: out("output", "a", "table")},
		{Name: "split", Status: "succeeded", Attempt: 1, CacheKey: "k2", Outputs: out("output", "b", "rows")},
		{Name: "train", Status: "succeeded", Attempt: 1, CacheKey: "k3", Outputs: out("model", "c", "SVC")},
	})
	add("2", []plan.Step{
		{Name: "read"}, {Name: "split", Inputs: map[string]spec.Input{"table": from("read", "output")}},
		{Name: "train", Inputs: map[string]spec.Input{"rows": from("split", "output")}},
		{Name: "skipped", Inputs: map[string]spec.Input{"model": from("train", "model")}},
	}, []driver.Step{
		{Name: "read", Status: "cached", CachedFrom: "1", CacheKey: "k1", Outputs: out("output", "a", "table")},
		{Name: "split", Status: "cached", CachedFrom: "1", CacheKey: "k2", Outputs: out("output", "b", "rows")},
		{Name: "train", Status: "succeeded", Attempt: 1, CacheKey: "k4", Outputs: out("model", "d", "Forest")},
		{Name: "skipped", Status: "skipped"},
	})
	add("3", []plan.Step{{Name: "score", Inputs: map[string]spec.Input{"model": {Artifact: digest("d")}}}}, []driver.Step{
		{Name: "score", Status: "succeeded", Attempt: 1, CacheKey: "k5", Outputs: out("output", "e", "0.97")},
	})
	return m
}

func lineage(t *testing.T, m driver.Reader, what string) Lineage {
	t.Helper()
	l, err := ReadLineage(t.Context(), m, what, 100)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLineage(t *testing.T) {
	m := family(t)
	wantForest := `model sha256:dddddddddddd Forest
  made by train in run-2
    from rows = output sha256:bbbbbbbbbbbb rows, made by split in run-1, and from the cache in run-2
      from table = output sha256:aaaaaaaaaaaa table, made by load in run-1, and from the cache in run-2
  used by score in run-3
    gave output sha256:eeeeeeeeeeee 0.97
`
	for _, what := range []string{digest("d"), "dddd", "sha256:ddddd", "run-2/train.model", "2/train"} {
		if diff := cmp.Diff(wantForest, lineage(t, m, what).Text()); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	// What a step of the second run took from the cache leads to the first's, and to what both made of it.
	wantTable := `output sha256:aaaaaaaaaaaa table
  made by load in run-1, and from the cache in run-2
  used by split in run-1, and from the cache in run-2
    gave output sha256:bbbbbbbbbbbb rows
      used by train in run-1
        gave model sha256:cccccccccccc SVC
      used by train in run-2
        gave model sha256:dddddddddddd Forest
          used by score in run-3
            gave output sha256:eeeeeeeeeeee 0.97
`
	for _, what := range []string{digest("a"), "run-2/read.output", "run-1/load"} {
		if diff := cmp.Diff(wantTable, lineage(t, m, what).Text()); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	wantMermaid := `flowchart LR
    s1["load in run-1, and from the cache in run-2"]:::upstream
    s2["split in run-1, and from the cache in run-2"]:::upstream
    s3["train in run-1"]:::asked
    s1 -->|"output sha256:aaaaaaaaaaaa table"| s2
    s2 -->|"output sha256:bbbbbbbbbbbb rows"| s3
    classDef asked fill:#d0ebff
`
	if diff := cmp.Diff(wantMermaid, lineage(t, m, digest("c")).Mermaid()); diff != "" {
		t.Error(diff)
	}
	if text := lineage(t, m, digest("d")).Mermaid(); !strings.Contains(text, `|"sha256:dddddddddddd"| s4`) {
		t.Errorf("what is given by its digest has no edge:\n%s", text)
	}
	if dot := lineage(t, m, digest("c")).DOT(); !strings.Contains(dot, `s2 -> s3 [label="output sha256:bbbbbbbbbbbb rows"];`) {
		t.Error(dot)
	}
}

func TestLineageOfDeletedRun(t *testing.T) {
	m := family(t)
	if err := m.DeleteRun(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	want := "made by split in 1 (deleted)\n      from table = output sha256:aaaaaaaaaaaa table, made by read in 1 (deleted)\n"
	if got := lineage(t, m, digest("d")).Text(); !strings.Contains(got, want) {
		t.Error(got)
	}
}

func TestNoLineage(t *testing.T) {
	m := family(t)
	for what, want := range map[string]error{
		digest("f"): driver.ErrNotFound, "ddd": driver.ErrNotFound, "": driver.ErrNotFound, "run-9/train": driver.ErrNotFound, "run-1/nothing": driver.ErrNotFound,
	} {
		if _, err := ReadLineage(t.Context(), m, what, 100); !errors.Is(err, want) {
			t.Errorf("%q: %v", what, err)
		}
	}
	if l, err := ReadLineage(t.Context(), m, digest("e"), 1); err != nil || !l.Older {
		t.Errorf("of the latest run alone: %+v, error %v", l, err)
	}
	x := &lineageIndex{made: map[string]*Made{"a": {Outputs: map[string]step.Artifact{"x": {Digest: "sha256:abcd1"}, "y": {Digest: "sha256:abcd2"}}}}}
	if _, err := x.outputs("abcd"); !errors.Is(err, artifact.ErrAmbiguous) {
		t.Errorf("two that begin so: %v", err)
	}
}

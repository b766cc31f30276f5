package inspect

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
)

var begin = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func diamond() Graph {
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	return Graph{Pipeline: `my "first"`, Started: begin, Ended: at(10), Nodes: []Node{
		{Name: "load", Status: "succeeded", Started: at(0), Ended: at(4)},
		{Name: `train "big" <model>`, Status: "failed", Needs: []string{"load"}, Started: at(4), Ended: at(10)},
		{Name: "compare", Status: "cached", Needs: []string{"load"}},
		{Name: "report", Status: "skipped", Needs: []string{"compare", `train "big" <model>`}},
	}}
}

func TestText(t *testing.T) {
	want := "✔ load\n" +
		"  ✘ train \"big\" <model>  <- load\n" +
		"  ↺ compare              <- load\n" +
		"    – report             <- compare, train \"big\" <model>\n"
	if diff := cmp.Diff(want, diamond().Text()); diff != "" {
		t.Error(diff)
	}
}

func TestTimeline(t *testing.T) {
	want := "✔ load                ████████                  4s\n" +
		"✘ train \"big\" <model>         ████████████      6s\n" +
		"↺ compare\n– report\n"
	if diff := cmp.Diff(want, diamond().Timeline(19+8+4+20, begin)); diff != "" {
		t.Error(diff)
	}
	running := diamond()
	running.Ended, running.Nodes[1].Ended = time.Time{}, time.Time{}
	if diff := cmp.Diff(diamond().Timeline(60, begin), running.Timeline(60, begin.Add(10*time.Second))); diff != "" {
		t.Errorf("what runs must reach up to now:\n%s", diff)
	}
}

func TestMermaid(t *testing.T) {
	want := `flowchart TD
    s1["✔ load"]:::succeeded
    s2["✘ train #quot;big#quot; #lt;model#gt;"]:::failed
    s3["↺ compare"]:::cached
    s4["– report"]:::skipped
    s1 --> s2
    s1 --> s3
    s3 --> s4
    s2 --> s4
    classDef succeeded fill:#d3f9d8
    classDef cached fill:#d0ebff
    classDef failed fill:#ffe3e3
    classDef running fill:#fff3bf
`
	if diff := cmp.Diff(want, diamond().Mermaid()); diff != "" {
		t.Error(diff)
	}
}

func TestDOT(t *testing.T) {
	want := `digraph "my \"first\"" {
  node [shape=box, style=filled, fontname="sans-serif"];
  s1 [label="✔ load", fillcolor="#d3f9d8"];
  s2 [label="✘ train \"big\" <model>", fillcolor="#ffe3e3"];
  s3 [label="↺ compare", fillcolor="#d0ebff"];
  s4 [label="– report", fillcolor="#f1f3f5"];
  s1 -> s2;
  s1 -> s3;
  s3 -> s4;
  s2 -> s4;
}
`
	if diff := cmp.Diff(want, diamond().DOT()); diff != "" {
		t.Error(diff)
	}
}

func TestReadGraph(t *testing.T) {
	m := memory.New()
	frozen, err := json.Marshal(plan.Plan{Steps: []plan.Step{{Name: "a"}, {Name: "b", Needs: []string{"a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CreateRun(t.Context(), driver.Run{ID: "1", Name: "one", Pipeline: "p", Status: "pending", Plan: frozen, Created: begin}); err != nil {
		t.Fatal(err)
	}
	g, err := ReadGraph(t.Context(), m, "one")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("○ a\n  ○ b  <- a\n", g.Text()); diff != "" {
		t.Error(diff)
	}
	if _, err := ReadGraph(t.Context(), m, "other"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
)

// Graph is the graph of a run: its steps, in an order in which each comes after those it waits for.
type Graph struct {
	Run, Pipeline string
	// Started and Ended are the run's; Ended is zero while it goes on.
	Started, Ended time.Time
	Nodes          []Node
}

// Node is one step of a graph.
type Node struct {
	Name   string
	Status string
	// Needs names the steps that this one waits for.
	Needs          []string
	Started, Ended time.Time
	// Tries are its attempts; ReadGraph leaves them out.
	Tries []Try
}

// AddTries adds what is known of the steps' attempts to a graph.
func (g *Graph) AddTries(tries map[string][]Try) {
	for i := range g.Nodes {
		g.Nodes[i].Tries = tries[g.Nodes[i].Name]
	}
}

// ReadGraph returns the graph of a run by id or name. The error is driver.ErrNotFound if there is none.
func ReadGraph(ctx context.Context, m driver.Reader, idOrName string) (Graph, error) {
	r, err := m.Run(ctx, idOrName)
	if err != nil {
		return Graph{}, fmt.Errorf("reading run %q: %w", idOrName, err)
	}
	var p plan.Plan
	if err := json.Unmarshal(r.Plan, &p); err != nil {
		return Graph{}, fmt.Errorf("reading the plan of run %q: %w", idOrName, err)
	}
	steps, err := m.Steps(ctx, r.ID)
	if err != nil {
		return Graph{}, fmt.Errorf("reading the steps of run %q: %w", idOrName, err)
	}
	byName := make(map[string]driver.Step, len(steps))
	for _, s := range steps {
		byName[s.Name] = s
	}
	g := Graph{Run: r.ID, Pipeline: r.Pipeline, Started: r.Started, Ended: r.Ended}
	for _, s := range p.Steps {
		row := byName[s.Name]
		if row.Status == "" {
			row.Status = "waiting"
		}
		g.Nodes = append(g.Nodes, Node{Name: s.Name, Status: row.Status, Needs: s.Needs, Started: row.Started, Ended: row.Ended})
	}
	return g, nil
}

// Mark is the sign of a status.
func Mark(status string) string {
	switch status {
	case "succeeded":
		return "✔"
	case "cached":
		return "↺"
	case "failed":
		return "✘"
	case "running":
		return "▶"
	case "skipped", "cancelled":
		return "–"
	}
	return "○"
}

// Text draws the graph a line a step: its sign, its name, indented by how deep it lies, and what it waits for.
func (g Graph) Text() string {
	depth := map[string]int{}
	var rows [][2]string
	widest := 0
	for _, n := range g.Nodes {
		for _, need := range n.Needs {
			depth[n.Name] = max(depth[n.Name], depth[need]+1)
		}
		name := strings.Repeat("  ", depth[n.Name]) + Mark(n.Status) + " " + Label(n.Name)
		rows = append(rows, [2]string{name, Label(strings.Join(n.Needs, ", "))})
		widest = max(widest, len([]rune(name)))
	}
	var b strings.Builder
	for _, row := range rows {
		line := row[0]
		if row[1] != "" {
			line += strings.Repeat(" ", widest-len([]rune(line))) + "  <- " + row[1]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Mermaid writes the graph for Mermaid, which many renderers of Markdown draw.
func (g Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	ids := g.ids()
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "    %s[\"%s %s\"]:::%s\n", ids[n.Name], Mark(n.Status), mermaidText(n.Name), n.Status)
	}
	for _, n := range g.Nodes {
		for _, need := range n.Needs {
			fmt.Fprintf(&b, "    %s --> %s\n", ids[need], ids[n.Name])
		}
	}
	for _, class := range []string{"succeeded fill:#d3f9d8", "cached fill:#d0ebff", "failed fill:#ffe3e3", "running fill:#fff3bf"} {
		b.WriteString("    classDef " + class + "\n")
	}
	return b.String()
}

// DOT writes the graph for Graphviz.
func (g Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n", dotText(g.Pipeline))
	ids := g.ids()
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s [label=%s, fillcolor=%q];\n", ids[n.Name], dotText(Mark(n.Status)+" "+n.Name), colour(n.Status))
	}
	for _, n := range g.Nodes {
		for _, need := range n.Needs {
			fmt.Fprintf(&b, "  %s -> %s;\n", ids[need], ids[n.Name])
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// ids gives every step a name that no drawing language has to quote.
func (g Graph) ids() map[string]string {
	ids := make(map[string]string, len(g.Nodes))
	for i, n := range g.Nodes {
		ids[n.Name] = fmt.Sprintf("s%d", i+1)
	}
	return ids
}

func colour(status string) string {
	switch status {
	case "succeeded":
		return "#d3f9d8"
	case "cached":
		return "#d0ebff"
	case "failed":
		return "#ffe3e3"
	case "running":
		return "#fff3bf"
	}
	return "#f1f3f5"
}

// mermaidText writes what Mermaid would read as markup as character entities.
func mermaidText(s string) string {
	return strings.NewReplacer("&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "#", "#35;", "\n", " ", "`", "#96;").Replace(s)
}

func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
}

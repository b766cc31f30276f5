package inspect

import (
	"fmt"
	"slices"
	"strings"
)

// Text draws a lineage as a tree: what the artifact is from, and what was made of it.
func (l Lineage) Text() string {
	d := &lineageText{lineage: l, shown: map[string]bool{}}
	for _, o := range l.Asked {
		d.line(0, described(o))
		if s := l.step(o.From); s != nil {
			d.line(1, "made by "+title(*s))
			d.up(*s, 2)
		}
		d.down(o, 1)
	}
	return d.b.String()
}

// step returns a step of the lineage by its ID, or nil.
func (l Lineage) step(id string) *Made {
	i := slices.IndexFunc(l.Steps, func(s Made) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return &l.Steps[i]
}

// users are the steps that took an output.
func (l Lineage) users(o Output) []Made {
	var all []Made
	for _, s := range l.Steps {
		if slices.ContainsFunc(s.Inputs, func(in Output) bool { return sameOutput(in, o) }) {
			all = append(all, s)
		}
	}
	return all
}

func sameOutput(in, o Output) bool {
	if in.From == "" {
		return in.What.Digest == o.What.Digest
	}
	return in.From == o.From && in.Output == o.Output
}

// lineageText is a tree under construction; what was shown isn't shown again.
type lineageText struct {
	lineage Lineage
	shown   map[string]bool
	b       strings.Builder
}

func (d *lineageText) line(depth int, text string) {
	d.b.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

func (d *lineageText) up(s Made, depth int) {
	if d.again("up "+s.ID, depth, len(s.Inputs)) {
		return
	}
	for _, in := range s.Inputs {
		text := "from " + Label(in.Name) + " = " + described(in)
		from := d.lineage.step(in.From)
		if from != nil {
			text += ", made by " + title(*from)
		}
		d.line(depth, text)
		if from != nil {
			d.up(*from, depth+1)
		}
	}
}

func (d *lineageText) down(o Output, depth int) {
	for _, s := range d.lineage.users(o) {
		d.line(depth, "used by "+title(s))
		if d.again("down "+s.ID, depth+1, len(s.Outputs)) {
			continue
		}
		for _, name := range sortedKeys(s.Outputs) {
			out := Output{From: s.ID, Output: name, What: s.Outputs[name]}
			d.line(depth+1, "gave "+described(out))
			d.down(out, depth+2)
		}
	}
}

// again says that the rest was shown before, if there is a rest.
func (d *lineageText) again(key string, depth, rest int) bool {
	if d.shown[key] && rest > 0 {
		d.line(depth, "… (as above)")
	}
	before := d.shown[key]
	d.shown[key] = true
	return before
}

func described(o Output) string {
	text := fmt.Sprintf("%.19s", o.What.Digest)
	if o.Output != "" {
		text = Label(o.Output) + " " + text
	}
	if o.What.Preview != "" {
		text += " " + Label(o.What.Preview)
	}
	return text
}

func title(s Made) string {
	text := Label(s.Step) + " in " + s.Run
	switch {
	case s.Deleted:
		text += " (deleted)"
	case len(s.TakenBy) == 1:
		text += ", and from the cache in " + s.TakenBy[0]
	}
	if len(s.TakenBy) > 1 {
		text += fmt.Sprintf(", and from the cache in %d runs", len(s.TakenBy))
	}
	return text
}

// edges calls back for each step and each artifact between two steps, or at an end.
func (l Lineage) edges(step func(id int, s Made), edge func(from, to int, label string)) {
	ids := map[string]int{}
	for i, s := range l.Steps {
		ids[s.ID] = i + 1
		step(i+1, s)
	}
	for i, s := range l.Steps {
		for _, in := range s.Inputs {
			for _, from := range l.Steps {
				if in.From == from.ID || in.From == "" && made(from, in.What.Digest) {
					edge(ids[from.ID], i+1, described(in))
				}
			}
		}
	}
}

func made(s Made, digest string) bool {
	for _, a := range s.Outputs {
		if a.Digest == digest {
			return true
		}
	}
	return false
}

// Mermaid writes a lineage for Mermaid: its steps, and the artifacts between them.
func (l Lineage) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	l.edges(func(id int, s Made) {
		fmt.Fprintf(&b, "    s%d[\"%s\"]:::%s\n", id, mermaidText(title(s)), s.Side)
	}, func(from, to int, label string) {
		fmt.Fprintf(&b, "    s%d -->|\"%s\"| s%d\n", from, mermaidText(label), to)
	})
	b.WriteString("    classDef asked fill:#d0ebff\n")
	return b.String()
}

// DOT writes a lineage for Graphviz.
func (l Lineage) DOT() string {
	var b strings.Builder
	b.WriteString("digraph lineage {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\", fillcolor=\"#f1f3f5\"];\n")
	l.edges(func(id int, s Made) {
		fill := ""
		if s.Side == "asked" {
			fill = ", fillcolor=\"#d0ebff\""
		}
		fmt.Fprintf(&b, "  s%d [label=%s%s];\n", id, dotText(title(s)), fill)
	}, func(from, to int, label string) {
		fmt.Fprintf(&b, "  s%d -> s%d [label=%s];\n", from, to, dotText(label))
	})
	b.WriteString("}\n")
	return b.String()
}

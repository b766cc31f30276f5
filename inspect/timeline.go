package inspect

import (
	"fmt"
	"strings"
	"time"
)

// Shade is the sign of the phase in a timeline of text.
func (p Phase) Shade() string {
	switch p {
	case Waiting:
		return "·"
	case Pulling:
		return "░"
	case Importing:
		return "▒"
	case Uploading:
		return "▓"
	}
	return "█"
}

// Legend says which sign of a timeline is which phase.
func Legend() string {
	var all []string
	for _, p := range Phases() {
		all = append(all, p.Shade()+" "+string(p))
	}
	return strings.Join(all, "  ")
}

// Timeline draws when the steps waited, pulled, imported, ran and uploaded, a line a step, on width columns. Steps that
// didn't run have an empty line. now is the end of what still runs.
func (g Graph) Timeline(width int, now time.Time) string {
	begin, end := g.Started, g.Ended
	if end.IsZero() {
		end = now
	}
	names := 0
	for _, n := range g.Nodes {
		names = max(names, len([]rune(Label(n.Name))))
	}
	const took = 8 // the width of a duration
	bar := max(width-names-took-4, 10)
	var b strings.Builder
	for _, n := range g.Nodes {
		line := Mark(n.Status) + " " + Label(n.Name) + strings.Repeat(" ", names-len([]rune(Label(n.Name)))+1)
		if spans := n.Spans(end); len(spans) > 0 {
			line += strings.Join(shades(spans, begin, end, bar), "")
			line += fmt.Sprintf(" %*s", took-1, spans[len(spans)-1].End.Sub(spans[0].Start).Round(10*time.Millisecond))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// Spans are the phases of all attempts, with the time between two attempts as waiting. Where no attempt is known, a step that
// ran has one span.
func (n Node) Spans(end time.Time) []Span {
	var all []Span
	for _, t := range n.Tries {
		if k := len(all); k > 0 && len(t.Spans) > 0 && t.Spans[0].Start.After(all[k-1].End) {
			all = append(all, Span{Phase: Waiting, Start: all[k-1].End, End: t.Spans[0].Start})
		}
		all = append(all, t.Spans...)
	}
	if len(all) == 0 && !n.Started.IsZero() {
		if !n.Ended.IsZero() {
			end = n.Ended
		}
		all = append(all, Span{Phase: Executing, Start: n.Started, End: end})
	}
	return all
}

// shades draws spans on a line of so many columns. What takes less than a column is seen if nothing longer is in it; that a
// step ran is always seen.
func shades(spans []Span, begin, end time.Time, columns int) []string {
	cells := make([]string, columns)
	for i := range cells {
		cells[i] = " "
	}
	for _, s := range spans {
		for i := column(begin, end, s.Start, columns); i < column(begin, end, s.End, columns); i++ {
			cells[i] = s.Phase.Shade()
		}
	}
	for _, s := range spans {
		at := min(column(begin, end, s.Start, columns), columns-1)
		if s.Phase == Executing && s.End.After(s.Start) && column(begin, end, s.End, columns) <= at {
			cells[at] = s.Phase.Shade()
		}
	}
	return cells
}

// column is where a moment lies between begin and end on a line of so many columns.
func column(begin, end, at time.Time, columns int) int {
	whole := end.Sub(begin)
	if whole <= 0 {
		return 0
	}
	share := float64(at.Sub(begin)) / float64(whole)
	return min(max(int(share*float64(columns)+0.5), 0), columns)
}

package inspect

import (
	"fmt"
	"strings"
	"time"
)

// Timeline draws when the steps ran, a line a step, on width columns. Steps that didn't run have an empty line. now is the
// end of what still runs.
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
		if !n.Started.IsZero() {
			stop := n.Ended
			if stop.IsZero() {
				stop = end
			}
			from, to := column(begin, end, n.Started, bar), column(begin, end, stop, bar)
			to = min(max(to, from+1), bar)
			from = min(from, to-1)
			line += strings.Repeat("·", from) + strings.Repeat("█", to-from) + strings.Repeat("·", bar-to)
			line += fmt.Sprintf(" %*s", took-1, stop.Sub(n.Started).Round(10*time.Millisecond))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
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

package output

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/proa-ml/proa/internal/cli/text"
)

const (
	gap = 2
	// narrowest is what a column is shrunk to at most.
	narrowest = 8
)

// Render lays the table out within width columns; 0 means as wide as it needs. What is too wide loses its empty columns
// first, then its widest ones are cut; where even that is not enough, each row becomes a block of lines.
func (t Table) Render(width int) string {
	if width > 0 && sum(t.widths())+t.gaps() > width {
		t = t.withoutEmpty()
	}
	widths := t.widths()
	if width > 0 {
		if !shrink(widths, width-t.gaps()) {
			return t.blocks(width)
		}
	}
	var b strings.Builder
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		var line strings.Builder
		for i, cell := range row {
			cell = text.Clip(oneLine(cell), widths[i])
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// widths returns how wide each column wants to be.
func (t Table) widths() []int {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(oneLine(cell)))
		}
	}
	return widths
}

func (t Table) gaps() int { return gap * (len(t.Header) - 1) }

// withoutEmpty returns the table without the columns that have no text in any row.
func (t Table) withoutEmpty() Table {
	if len(t.Rows) == 0 {
		return t
	}
	var kept []int
	for i := range t.Header {
		if slices.ContainsFunc(t.Rows, func(row []string) bool { return row[i] != "" }) {
			kept = append(kept, i)
		}
	}
	pick := func(row []string) []string {
		var cells []string
		for _, i := range kept {
			cells = append(cells, row[i])
		}
		return cells
	}
	less := Table{Header: pick(t.Header)}
	for _, row := range t.Rows {
		less.Rows = append(less.Rows, pick(row))
	}
	return less
}

// blocks writes each row as lines of a header and a cell, with an empty line between rows.
func (t Table) blocks(width int) string {
	longest := 0
	for _, h := range t.Header {
		longest = max(longest, utf8.RuneCountInString(h))
	}
	longest = min(longest, width/2)
	var b strings.Builder
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, cell := range row {
			if cell == "" {
				continue
			}
			header := text.Clip(t.Header[j], longest)
			header += strings.Repeat(" ", longest-utf8.RuneCountInString(header)+gap)
			b.WriteString(header + text.Clip(oneLine(cell), max(1, width-longest-gap)) + "\n")
		}
	}
	return b.String()
}

// shrink takes columns away from the widest until the sum fits, and reports whether it does.
func shrink(widths []int, room int) bool {
	for sum(widths) > room {
		widest := 0
		for i, w := range widths {
			if w >= widths[widest] {
				widest = i
			}
		}
		if len(widths) == 0 || widths[widest] <= narrowest {
			return false
		}
		widths[widest]--
	}
	return true
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}

func oneLine(text string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(text)
}

package output

import (
	"slices"
	"strings"

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
	for n, row := range append([][]string{t.Header}, t.Rows...) {
		var line strings.Builder
		for i, cell := range row {
			cell = text.Clip(oneLine(cell), widths[i])
			line.WriteString(text.Pad(cell, widths[i]+gap))
		}
		b.WriteString(t.head(strings.TrimRight(line.String(), " "), n == 0))
		b.WriteByte('\n')
	}
	return b.String()
}

// head paints what is a header.
func (t Table) head(words string, header bool) string {
	if !t.styled || !header {
		return words
	}
	return text.Paint(text.Bold, words)
}

// forTerminal returns the table with colours, and with a hand that points to what is active.
func (t Table) forTerminal() Table {
	t.styled = true
	column := slices.Index(t.Header, "ACTIVE")
	if column < 0 {
		return t
	}
	rows := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = slices.Clone(row)
		if row[column] == Mark(true) {
			rows[i][column] = "👉"
		}
	}
	t.Rows = rows
	return t
}

// widths returns how wide each column wants to be.
func (t Table) widths() []int {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], text.Width(oneLine(cell)))
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
	less := Table{Header: pick(t.Header), styled: t.styled}
	for _, row := range t.Rows {
		less.Rows = append(less.Rows, pick(row))
	}
	return less
}

// blocks writes each row as lines of a header and a cell, with an empty line between rows.
func (t Table) blocks(width int) string {
	longest := 0
	for _, h := range t.Header {
		longest = max(longest, text.Width(h))
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
			header := text.Pad(text.Clip(t.Header[j], longest), longest+gap)
			b.WriteString(t.head(header, true) + text.Clip(oneLine(cell), max(1, width-longest-gap)) + "\n")
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

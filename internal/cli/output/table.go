package output

import (
	"strings"
	"unicode/utf8"

	"github.com/proa-ml/proa/internal/cli/text"
)

const (
	gap = 2
	// narrowest is what a column is shrunk to at most.
	narrowest = 6
)

// Render lays the table out within width columns; 0 means as wide as it needs. The widest columns are cut first.
func (t Table) Render(width int) string {
	rows := append([][]string{t.Header}, t.Rows...)
	widths := make([]int, len(t.Header))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(oneLine(cell)))
		}
	}
	if width > 0 {
		shrink(widths, width-gap*(len(widths)-1))
	}
	var b strings.Builder
	for _, row := range rows {
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

// shrink takes columns away from the widest until the sum fits.
func shrink(widths []int, room int) {
	for sum(widths) > room {
		widest := 0
		for i, w := range widths {
			if w >= widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			return
		}
		widths[widest]--
	}
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

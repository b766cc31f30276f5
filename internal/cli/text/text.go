// Package text fits text to a terminal.
package text

import "strings"

// Clip cuts a text to a number of columns, with an ellipsis.
func Clip(text string, columns int) string {
	runes := []rune(text)
	if columns <= 0 || len(runes) <= columns {
		return text
	}
	return strings.TrimRight(string(runes[:columns-1]), " ") + "…"
}

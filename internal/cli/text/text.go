// Package text fits text to a terminal, and paints it.
package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Clip cuts a text to a number of columns, with an ellipsis.
func Clip(text string, columns int) string {
	if columns <= 0 || Width(text) <= columns {
		return text
	}
	var b strings.Builder
	taken := 0
	for _, r := range text {
		if taken += columnsOf(r); taken > columns-1 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ") + "…"
}

// Pad fills a text up with spaces to a number of columns.
func Pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(columns-Width(text), 0))
}

// Width is the number of columns that a text takes on a terminal.
func Width(text string) int {
	columns := 0
	for _, r := range text {
		columns += columnsOf(r)
	}
	return columns
}

// columnsOf is how many columns a terminal gives a rune: two to the letters of East Asia and to most emoji, none to marks that
// combine with the one before.
func columnsOf(r rune) int {
	switch kind := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Colours of the terminal.
const (
	Bold   = "1"
	Dim    = "2"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Cyan   = "36"
)

// Paint gives a text a colour, or several with ; between them.
func Paint(color, text string) string {
	if text == "" {
		return ""
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

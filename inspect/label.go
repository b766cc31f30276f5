package inspect

import (
	"strings"
	"unicode"
)

// Label is a name as it is shown: on one line, whatever the name holds.
func Label(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, name)
}

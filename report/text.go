package report

import (
	"html"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proa-ml/proa/inspect"
)

// clean makes a text fit to be shown.
func clean(text string) string { return inspect.Printable(sequences.ReplaceAllString(text, "")) }

// sequences are what terminals are told with, such as colours.
var sequences = regexp.MustCompile(`\x1b(\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])`)

// terminal makes of what was written to a terminal what was seen there in the end: no colours, and of a line that was written
// over and over its last state.
func terminal(text string) string {
	text = strings.ReplaceAll(sequences.ReplaceAllString(text, ""), "\r\n", "\n")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
	}
	return clean(strings.Join(lines, "\n"))
}

// head is the beginning of a text that takes at most limit bytes in a page.
func head(text string, limit int) string {
	used := 0
	for i, r := range text {
		if used += cost(r); used > limit {
			return text[:i] + "…"
		}
	}
	return text
}

// tail is the end of a text that takes at most limit bytes in a page.
func tail(text string, limit int) string {
	used := 0
	for i := len(text); i > 0; {
		r, width := utf8.DecodeLastRuneInString(text[:i])
		if used += cost(r); used > limit {
			return "…" + text[i:]
		}
		i -= width
	}
	return text
}

// cost is how many bytes a letter takes in a page.
func cost(r rune) int {
	if r < utf8.RuneSelf {
		return len(html.EscapeString(string(r)))
	}
	return utf8.RuneLen(r)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

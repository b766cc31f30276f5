package progress

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// longestLine is where a line without an end is broken.
const longestLine = 8 << 10

// logLines makes lines of the pieces of a log. Pieces that came before, as after a reconnection, are dropped.
type logLines struct {
	attempt int
	next    int64
	partial []byte
}

// add takes the bytes of the log from offset on and returns the lines that are complete now. Should bytes before them have
// been left out, which is what happens to a step that writes faster than it can be followed, a line says so.
func (l *logLines) add(offset int64, data []byte) (lines []string) {
	if seen := l.next - offset; seen > 0 {
		if seen >= int64(len(data)) {
			return nil
		}
		data = data[seen:]
		offset = l.next
	}
	if missing := offset - l.next; missing > 0 {
		lines = append(l.rest(), fmt.Sprintf("[%d bytes came too fast to be shown; `proa runs logs` has all of it]", missing))
	}
	l.next = offset + int64(len(data))
	l.partial = append(l.partial, data...)
	for {
		end := bytes.IndexByte(l.partial, '\n')
		if end < 0 && len(l.partial) < longestLine {
			return lines
		}
		if end < 0 {
			end = longestLine - 1
		}
		lines = append(lines, clean(l.partial[:end]))
		l.partial = append([]byte(nil), l.partial[end+1:]...)
	}
}

// rest returns what has no end yet.
func (l *logLines) rest() []string {
	if len(l.partial) == 0 {
		return nil
	}
	line := clean(l.partial)
	l.partial = nil
	return []string{line}
}

// clean makes a line safe to print: of a progress bar that overwrites itself only the last state is left, and control
// characters, which could move the cursor, are taken out.
func clean(line []byte) string {
	text := strings.TrimRight(strings.ToValidUTF8(string(line), "\uFFFD"), "\r")
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, stripEscapes(text))
}

// stripEscapes takes out terminal control sequences (ESC [ ... letter).
func stripEscapes(text string) string {
	if !strings.Contains(text, "\x1b[") {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := strings.IndexFunc(after, func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return b.String()
		}
		text = after[end+1:]
	}
}

// Package tail keeps the end of what a program prints, as evidence of why it failed.
package tail

import (
	"strings"
	"sync"
)

const (
	most      = 4 << 10
	mostLines = 20
)

// Buffer keeps the end of what is written to it. The zero value is ready; it is safe for concurrent use.
type Buffer struct {
	mu   sync.Mutex
	data []byte
}

// Write never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	written := len(p)
	if len(p) > most {
		p = p[len(p)-most:]
	}
	b.data = append(b.data, p...)
	if extra := len(b.data) - most; extra > 0 {
		b.data = b.data[:copy(b.data, b.data[extra:])]
	}
	return written, nil
}

// String returns the last lines, without one whose beginning is lost.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.TrimRight(strings.ToValidUTF8(string(b.data), "\uFFFD"), "\n")
	lines := strings.Split(text, "\n")
	if len(b.data) == most && len(lines) > 1 {
		lines = lines[1:] // the first is cut
	}
	return strings.Join(lines[max(0, len(lines)-mostLines):], "\n")
}

package tail_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proa-ml/proa/internal/tail"
)

func TestBuffer(t *testing.T) {
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	long := strings.Repeat("ü", 3000)
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a word", "killed\n", "killed"},
		{"broken text", "a\xffb\n\n", "a\uFFFDb"},
		{"many lines", many.String(), "line 980 … line 999"},
		{"a long line", long, strings.Repeat("ü", 2048)},
		{"a long line and one more", long + "\nlast\n", "last"},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			var b tail.Buffer
			for rest := c.text; rest != ""; {
				n, err := b.Write([]byte(rest[:min(piece, len(rest))]))
				if err != nil || n == 0 {
					t.Fatalf("%s: wrote %d bytes, %v", c.name, n, err)
				}
				rest = rest[n:]
			}
			got := b.String()
			if lines := strings.Split(got, "\n"); len(lines) == 20 {
				got = lines[0] + " … " + lines[19]
			}
			if got != c.want {
				t.Errorf("%s in pieces of %d: %q, want %q", c.name, piece, got, c.want)
			}
		}
	}
}

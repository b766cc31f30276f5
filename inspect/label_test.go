package inspect

import (
	"strings"
	"testing"
)

// A name may hold line breaks and other control characters; what is drawn of it is one line all the same.
func TestNamesAreShownOnOneLine(t *testing.T) {
	const odd = "train\nthe \x1b[2J\u2028model 🚀"
	if got, want := Label(odd), "train the  [2J model 🚀"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	g := Graph{Nodes: []Node{{Name: odd, Status: "succeeded"}, {Name: "after", Status: "succeeded", Needs: []string{odd}}}}
	for what, drawn := range map[string]string{"graph": g.Text(), "timeline": g.Timeline(80, g.Started)} {
		if lines := strings.Count(drawn, "\n"); lines > 3 || strings.ContainsRune(drawn, '\x1b') {
			t.Errorf("%s has %d lines:\n%q", what, lines, drawn)
		}
	}
}

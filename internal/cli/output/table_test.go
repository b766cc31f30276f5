package output

import (
	"bytes"
	"strings"
	"testing"

	"github.com/proa-ml/proa/internal/cli/kit"
)

func TestTablesFitTheTerminal(t *testing.T) {
	table := Table{Header: []string{"NAME", "LONG", "LAST"}, Rows: [][]string{{"größe", strings.Repeat("x", 100), "a\nb"}}}
	for _, line := range strings.Split(table.Render(40), "\n") {
		if n := len([]rune(line)); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if got := table.Render(0); !strings.Contains(got, strings.Repeat("x", 100)) || strings.Count(got, "\n") != 2 {
		t.Errorf("without a terminal nothing is cut:\n%s", got)
	}
}

func TestYAMLHasTheKeysOfJSON(t *testing.T) {
	var out bytes.Buffer
	value := map[string]any{"list": []string{}, "text": "yes", "number": 3}
	if err := Print(kit.Streams{Out: &out}, "yaml", value, Table{}); err != nil {
		t.Fatal(err)
	}
	if want := "list: []\nnumber: 3\ntext: \"yes\"\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

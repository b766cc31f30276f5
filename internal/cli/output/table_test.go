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

func TestNarrowTerminals(t *testing.T) {
	wide := Table{Header: []string{"ACTIVE", "NAME", "ORCHESTRATOR", "ARTIFACT STORE", "METADATA STORE", "CONTAINER REGISTRY"}, Rows: [][]string{
		{"", "default", "default", "default", "default", ""},
		{"*", "a-stack-with-a-name", "kubernetes", "s3", "a metadata store of a long name", "registry"},
	}}
	for _, width := range []int{20, 40, 60, 80, 200} {
		for _, line := range strings.Split(wide.Render(width), "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns on a terminal of %d: %s", n, width, line)
			}
		}
	}
	if want := "NAME                default\n"; !strings.HasPrefix(wide.Render(40), want) {
		t.Errorf("a table of many columns is blocks of lines on 40 columns, got:\n%s", wide.Render(40))
	}
	empty := Table{Header: []string{"NAME", "NOTHING", "MORE"}, Rows: [][]string{{"a", "", strings.Repeat("x", 30)}}}
	if got := empty.Render(36); !strings.HasPrefix(got, "NAME  MORE\n") || !strings.Contains(got, strings.Repeat("x", 30)) {
		t.Errorf("an empty column goes before a full one is cut, got:\n%s", got)
	}
	if got := (Table{Header: wide.Header}).Render(40); got != "" && !strings.Contains(got, "NAME") {
		t.Errorf("a table without rows: %q", got)
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

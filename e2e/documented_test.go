package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// documented compares the keys of what the last command printed with those that docs/output.md shows for a command.
func documented(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: documented command ...")
	}
	command := strings.Join(args, " ")
	page, err := os.ReadFile(filepath.Join(ts.Getenv("ROOT"), "docs", "output.md"))
	ts.Check(err)
	_, section, found := strings.Cut(string(page), "\n### "+command+"\n")
	if !found {
		ts.Fatalf("docs/output.md doesn't tell of `%s`", command)
	}
	_, block, _ := strings.Cut(section, "```json\n")
	block, _, _ = strings.Cut(block, "```")
	want, err := shape(block)
	if err != nil {
		ts.Fatalf("docs/output.md, `%s`: %v", command, err)
	}
	got, err := shape(ts.ReadFile("stdout"))
	if err != nil {
		ts.Fatalf("what `%s` printed: %v", command, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		ts.Fatalf("`%s` prints other keys than docs/output.md shows (-documented +printed):\n%s", command, diff)
	}
}

// shape lists the paths of a JSON document with the types that are found there: elements of arrays count as one.
func shape(document string) ([]string, error) {
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	addShape(paths, "", v)
	return slices.Sorted(maps.Keys(paths)), nil
}

func addShape(paths map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			addShape(paths, path+"."+key, value)
		}
	case []any:
		for _, value := range v {
			addShape(paths, path+"[]", value)
		}
	default:
		paths[fmt.Sprintf("%s %T", path, v)] = true
	}
}

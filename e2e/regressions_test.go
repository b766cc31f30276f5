package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// reported are the issues and pull requests of which docs/regressions.md has to tell.
const reported = "688 3440 3497 3523 3786 3784 3854 3946 4747 4368 3716 3839 3874 2034 1654 2688 5266 3217 1204 1223 1518 2707 2847 " +
	"3771 3421 3846 2758 4372 3703 3719 3235 3880 1446 3975 2807 770 756 728 542 580 719 3079 1448 2895 2749 5030 5033 1359 845 2870 " +
	"962 567 3399 4328 4400"

// faults are what else it has to tell of, by the beginnings of its rows.
var faults = []string{
	"long and odd names", "labels over 63", "a pod that reports success", "a step that never starts", "a log with broken UTF-8",
	"a 409", "a run deleted by hand", "a namespace that terminates", "quota exceeded", "LimitRange", "an admission webhook",
	"a service account", "clock skew", "a step that writes 1 GB", "grandchildren", "a step that ignores SIGTERM", "an output of 10,000 files",
	"an output of 2 GB", "an output that is NaN", "a registry's 429", "an image that does not exist", "exit code 0", "a time limit",
	"on_oom", "retries by kind", "SystemExit(0)", "a step that deletes", "generators, lambdas", "line breaks and emoji", "200 parameters",
	"a pipeline without steps",
}

// folders are the scripts that tests run, by the names of the tests.
var folders = map[string]string{
	"e2e TestLocal": "local", "e2e TestKubernetes": "kubernetes", "e2e TestOutages": "outages", "e2e TestChaosLarge": "large",
	"e2e TestChaosDisruptions": "disruptions",
}

// Each fault has tests, and they exist.
func TestRegressionsHaveTests(t *testing.T) {
	page, err := os.ReadFile("../docs/regressions.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) < 2 || strings.HasPrefix(cells[0], "---") || cells[len(cells)-1] == "shown by" {
			continue
		}
		tests := cells[len(cells)-1]
		rows[cells[0]] = tests
		for _, number := range strings.Split(cells[0], ", ") {
			rows[number] = tests
		}
	}
	for _, number := range strings.Fields(reported) {
		if rows[number] == "" {
			t.Errorf("docs/regressions.md doesn't tell of %s", number)
		}
	}
	for _, fault := range faults {
		if !hasRow(rows, fault) {
			t.Errorf("docs/regressions.md doesn't tell of %q", fault)
		}
	}
	for what, tests := range rows {
		named := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(tests, -1)
		if len(named) == 0 {
			t.Errorf("%s: no test", what)
		}
		for _, name := range named {
			if err := exists(name[1]); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func hasRow(rows map[string]string, beginning string) bool {
	for what := range rows {
		if strings.HasPrefix(what, beginning) {
			return true
		}
	}
	return false
}

// exists checks that a test exists: "package Test", "package Test/script" or "file test".
func exists(test string) error {
	place, name, _ := strings.Cut(test, " ")
	if strings.HasSuffix(place, ".py") {
		source, err := os.ReadFile(filepath.Join("..", place))
		if err == nil && !strings.Contains(string(source), "\ndef "+name+"(") {
			err = fmt.Errorf("%s has no %s", place, name)
		}
		return err
	}
	name, script, scripted := strings.Cut(name, "/")
	if scripted {
		if _, err := os.Stat(filepath.Join("testdata", folders[place+" "+name], script+".txtar")); err != nil {
			return fmt.Errorf("%s: %w", test, err)
		}
	}
	return hasTest(place, name)
}

// hasTest looks for a test in a package.
func hasTest(place, name string) error {
	files, err := filepath.Glob(filepath.Join("..", place, "*_test.go"))
	if err != nil {
		return err
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name {
				return nil
			}
		}
	}
	return fmt.Errorf("the package %s has no %s", place, name)
}

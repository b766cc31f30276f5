package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/proa-ml/proa"

// ranks gives each package its rank; the first pattern that matches counts. An import must go to a strictly lower rank,
// which makes the graph of rooms a ladder instead of a web: a leaf driver knows neither the engine nor its siblings.
var ranks = []struct {
	pattern string
	rank    int
}{
	{"internal/strict", 0},
	{"internal/file", 0},
	{"internal/pause", 0},
	{"internal/tail", 0},
	{"internal/testbed", 0},
	{"internal/testbed/rights", 0},
	{"spec", 1},
	{"stack", 1},
	{"internal/proc", 1},
	{"internal/kubeconfig", 1},
	{"internal/podstatus", 1},
	{"internal/keyring", 1},
	{"internal/tunnel", 1},
	{"integration", 1},
	{"examples", 1},
	{".", 2},
	{"step", 2},
	{"plan", 2},
	{"artifact/gcs", 2},
	{"internal/ambient", 2},
	{"internal/ambient/cloudtest", 2},
	{"artifact", 3},
	{"internal/forks", 3},
	{"*/driver", 3},
	{"image", 4},
	{"orchestrator", 4},
	{"metadata", 4},
	{"secrets", 4},
	{"*/internal/*", 4},
	{"run", 5},
	{"inspect", 5},
	{"flavor", 5},
	{"internal/launcher", 5},
	{"image/kubernetes", 6}, // runs the BuildKit that image/buildkit speaks to
	{"image/**", 5},
	{"orchestrator/**", 5},
	{"prune", 6},
	{"report", 6},
	{"metadata/kubernetes", 6}, // runs the server that metadata/mysql connects to
	{"metadata/**", 5},
	{"secrets/**", 5},
	{"flavor/standard", 7},
	{"internal/cli/**", 7},
	{"command", 8},
	{"cmd/*", 9},
	{"internal/archtest", 9},
	{"e2e", 9},
	{"hack/**", 9},
}

// oneRoom lists the folders inside which imports are free: one room made of several packages.
var oneRoom = []string{"internal/cli", "hack", "metadata/internal", "orchestrator/drivertest"}

type pkg struct {
	ImportPath   string
	Name         string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
}

func (p pkg) path() string { return relative(p.ImportPath) }

func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// rank returns the rank of a package, and whether it has one.
func rank(p string) (int, bool) {
	for _, r := range ranks {
		if matches(r.pattern, p) {
			return r.rank, true
		}
	}
	return 0, false
}

func matches(pattern, p string) bool {
	if prefix, deep := strings.CutSuffix(pattern, "/**"); deep {
		return p == prefix || strings.HasPrefix(p, prefix+"/")
	}
	ok, err := path.Match(pattern, p)
	return err == nil && ok
}

func TestImportRanks(t *testing.T) {
	for _, p := range list(t, "./...") {
		mine, ok := rank(p.path())
		if !ok {
			t.Errorf("%s has no rank: give it a place in internal/archtest", p.path())
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			theirs, _ := rank(relative(imported))
			if theirs >= mine && !sameRoom(p.path(), relative(imported)) {
				t.Errorf("%s (rank %d) imports %s (rank %d): imports go to a strictly lower rank", p.path(), mine, relative(imported), theirs)
			}
		}
	}
}

func sameRoom(a, b string) bool {
	return slices.ContainsFunc(oneRoom, func(room string) bool {
		return (a == room || strings.HasPrefix(a, room+"/")) && (b == room || strings.HasPrefix(b, room+"/"))
	})
}

// TestStepBinaryIsSmall keeps clients of clusters and databases out of the binary that starts in every step's container.
func TestStepBinaryIsSmall(t *testing.T) {
	for _, p := range list(t, "-deps", "./cmd/proa-step") {
		for _, banned := range []string{"k8s.io/", "modernc.org/sqlite", "github.com/go-sql-driver", "github.com/spf13/cobra", "github.com/google/go-containerregistry"} {
			if strings.HasPrefix(p.ImportPath, banned) {
				t.Errorf("cmd/proa-step links %s", p.ImportPath)
			}
		}
	}
}

func TestPackagesHaveDocs(t *testing.T) {
	for _, p := range list(t, "./...") {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}

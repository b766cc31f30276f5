package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The launcher is in every image and starts with every step: it knows no cluster and no database.
func TestLinksNeitherClusterNorDatabase(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for pkg := range strings.SplitSeq(string(out), "\n") {
		for _, forbidden := range []string{
			"k8s.io/", "modernc.org/", "github.com/go-sql-driver/", "github.com/google/go-containerregistry",
			"github.com/spf13/", "testing", "github.com/proa-ml/proa/orchestrator", "github.com/proa-ml/proa/metadata",
		} {
			if strings.HasPrefix(pkg, forbidden) || pkg == "database/sql" {
				t.Errorf("proa-step links %s", pkg)
			}
		}
	}
}

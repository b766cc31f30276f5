package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/spec"
)

func TestPublic(t *testing.T) {
	for origin, want := range map[string]string{
		"https://ada:hush@host/team/code.git": "https://host/team/code.git",
		"https://token@host/code":             "https://host/code",
		"git@host:team/code.git":              "https://host/team/code.git",
		"ssh://git@host/code":                 "ssh://host/code",
		"/srv/code":                           "", "../code": "", "file:///srv/code": "", "c:code": "",
	} {
		if got := public(origin); got != want {
			t.Errorf("public(%q) = %q, want %q", origin, got, want)
		}
	}
}

func TestProvenance(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		testbed.Missing(t, "no git")
	}
	root := t.TempDir()
	l := &launch{Kit: &kit.Kit{Environ: append(os.Environ(), "HOME="+t.TempDir()), Version: "1.2"}, pipeline: &spec.Pipeline{Source: spec.Source{Root: root}}}
	if got := l.provenance(t.Context()); len(got) != 1 || got["dev.proa.version"] != "1.2" {
		t.Errorf("outside of git: %v", got)
	}
	file := filepath.Join(root, "run.py")
	if err := os.WriteFile(file, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "run.py"}, {"remote", "add", "origin", "https://ada:hush@host/code"},
		{"-c", "user.name=ada", "-c", "user.email=ada@example.com", "commit", "-qm", "first"},
	} {
		if _, ok := l.git(t.Context(), args...); !ok {
			t.Fatalf("git %v failed", args)
		}
	}
	got := l.provenance(t.Context())
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(got["org.opencontainers.image.revision"]) || got["org.opencontainers.image.source"] != "https://host/code" {
		t.Errorf("committed: %v", got)
	}
	clean := got["org.opencontainers.image.revision"]
	if err := os.WriteFile(file, []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := l.provenance(t.Context())["org.opencontainers.image.revision"]; got != clean+"-dirty" {
		t.Errorf("changed: %q, want %q", got, clean+"-dirty")
	}
}

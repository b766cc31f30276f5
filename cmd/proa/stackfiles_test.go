package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestStackFilesOfTheDocumentation uses the files that docs/stack-files.md shows: they are read without a warning, and say
// what the page says that they do.
func TestStackFilesOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/stack-files.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("docs/stack-files.md shows %d files", len(blocks))
	}
	home := t.TempDir()
	repository := filepath.Join(home, "project", "deep")
	stacks := filepath.Join(home, ".config/proa/stacks.yaml")
	for file, text := range map[string]string{
		stacks: blocks[0][1],
		filepath.Join(home, "project", ".proa", "config.yaml"): blocks[1][1],
		filepath.Join(repository, "team.yaml"):                 blocks[2][1],
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(repository, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, args, want string }{
		{home, "stack get", "k8s\n"},
		{repository, "stack get", "scratch\n"},
		{home, "stack list -o name", "default\nk8s\nscratch\n"},
		{home, "orchestrator list -o name", "default\nk8s\n"},
		{home, "metadata-store describe db -o name", "db\n"},
		{repository, "stack set k8s --global", ""},
		{repository, "stack import team.yaml", ""},
		{home, "stack list -o name", "default\nk8s\nscratch\nteam\n"},
	} {
		cmd := exec.CommandContext(t.Context(), "proa", strings.Fields(c.args)...)
		cmd.Dir = c.dir
		cmd.Env = append(os.Environ(), "HOME="+home, "PROA_CONFIG_DIR=", "XDG_CONFIG_HOME=")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || string(out) != c.want || strings.Contains(stderr.String(), "Warning") {
			t.Errorf("proa %s: %v, printed %q, want %q\n%s", c.args, err, out, c.want, stderr.String())
		}
	}
	after, err := os.ReadFile(stacks)
	if err != nil {
		t.Fatal(err)
	}
	for _, comment := range []string{"# the stack that is used", "# shared by all of us", "# in the secrets manager", "# What it takes"} {
		if !strings.Contains(string(after), comment) {
			t.Errorf("the comment %q is gone:\n%s", comment, after)
		}
	}
}

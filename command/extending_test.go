package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProgramOfOnesOwn builds the program that docs/extending.md shows, in a module of its own, and uses its flavor.
func TestProgramOfOnesOwn(t *testing.T) {
	page, err := os.ReadFile("../docs/extending.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(go|shell)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 || blocks[0][1] != "go" {
		t.Fatalf("docs/extending.md has %d blocks of code", len(blocks))
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), blocks[0][2])
	module(t, dir)
	program := build(t, dir)

	home := t.TempDir()
	share := filepath.Join(home, "share")
	proa := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "HOME="+home, "PROA_CONFIG_DIR=", "PROA_DATA_DIR=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// The page's own commands, with a folder that there is.
	for line := range strings.Lines(strings.ReplaceAll(blocks[2][2], "/mnt/share", share)) {
		words := strings.Fields(line)
		if out, err := proa(words[1:]...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, out)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(share, "vision")); err != nil {
		t.Errorf("the store wasn't opened where the flavor says: %v, %v", entries, err)
	}
	spaces := regexp.MustCompile(" +")
	for _, c := range []struct{ args, want string }{
		{"artifact-store flavor describe team", "whose place it is"},
		{"artifact-store register x --flavor=team", `the attribute "team" is missing`},
		{"artifact-store register x --flavor=team --team=Vision", "it must be in lower case"},
		{"artifact-store register x --flavor=team --tem=vision", "did you mean --team?"},
		{"artifact-store register x --flavor=local", `the attribute "path" is missing`},
		{"stack check default", "artifact-store default ok"},
	} {
		if out, _ := proa(strings.Fields(c.args)...); !strings.Contains(spaces.ReplaceAllString(out, " "), c.want) {
			t.Errorf("%s: got\n%s\nwant %s", c.args, out, c.want)
		}
	}
}

// module makes dir a Go module that takes everything from this repository and the modules that it needs anyway.
func module(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	const name = "github.com/proa-ml/proa"
	text, ok := strings.CutPrefix(string(data), "module "+name+"\n")
	if !ok {
		t.Fatalf("go.mod begins otherwise:\n%.100s", data)
	}
	write(t, filepath.Join(dir, "go.mod"), "module example.com/our-proa\n"+text+
		"\nrequire "+name+" v0.0.0\n\nreplace "+name+" => "+root+"\n")
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))
}

func build(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "proa", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "proa")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

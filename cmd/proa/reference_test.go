package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/proa-ml/proa/command"
)

var update = flag.Bool("update", false, "write docs/cli and docs/flavors from the commands and the schemas")

// TestEveryCommandHasAnExample walks the tree: help without an example leaves a user to guess.
func TestEveryCommandHasAnExample(t *testing.T) {
	for _, cmd := range commands(t) {
		if cmd.IsAvailableCommand() && !cmd.HasAvailableSubCommands() && cmd.Example == "" {
			t.Errorf("the help of `%s` shows no example", cmd.CommandPath())
		}
	}
}

// commands lists the whole tree.
func commands(t *testing.T) []*cobra.Command {
	t.Helper()
	t.Setenv("HOME", "/home/you")
	root, err := command.Tree(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := []*cobra.Command{root}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

// TestReference holds docs/cli and docs/flavors to what the program says of itself.
func TestReference(t *testing.T) {
	t.Setenv("HOME", "/home/you")
	pages, err := command.Reference(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"cli", "flavors"} {
		files, err := filepath.Glob(filepath.Join("../../docs", folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if _, ok := pages[folder+"/"+filepath.Base(file)]; !ok {
				t.Errorf("%s is about nothing that there is: remove it", file)
			}
		}
	}
	for name, want := range pages {
		file := filepath.Join("../../docs", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v: run `make golden`", err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s differs from the program (run `make golden`):\n%s", name, diff)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proa-ml/proa/internal/cli/kit"
)

// TestScriptsTypeEverything holds the scripts to the tree: each command is typed in one of them, and each of its options, in
// one of its spellings. Options that hold for every command, or only for other systems' users, count once.
func TestScriptsTypeEverything(t *testing.T) {
	root := commands(t)[0]
	typed := map[string]map[string]bool{}
	for _, line := range typedLines(t) {
		note(root, line, typed)
	}
	for _, cmd := range commands(t) {
		if !cmd.Runnable() || cmd.HasSubCommands() || cmd.Hidden || hiddenAbove(cmd) {
			continue
		}
		options, ok := typed[cmd.CommandPath()]
		if !ok {
			t.Errorf("no script types `%s`", cmd.CommandPath())
			continue
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden && !options[f.Name] {
				t.Errorf("no script types `%s --%s`", cmd.CommandPath(), f.Name)
			}
		})
	}
}

func hiddenAbove(cmd *cobra.Command) bool {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		if cmd.Hidden {
			return true
		}
	}
	return false
}

// typedLines finds what comes after `proa` or `zenml` in all scripts.
func typedLines(t *testing.T) [][]string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/*.txtar", "../../e2e/testdata/*/*.txtar"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	var lines [][]string
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(data), "\\\n", " ")) {
			lines = append(lines, typedIn(line)...)
		}
	}
	return lines
}

var (
	program = regexp.MustCompile(`(?:^|[\s'"(;&|])(?:proa|zenml|sh check\.sh)\s+`)
	nested  = regexp.MustCompile(`\$\([^()]*\)`)
	ends    = regexp.MustCompile(`[;&|)]|\s\d?>`)
)

// typedIn takes the commands out of a line of a script, words without their quotes.
func typedIn(line string) [][]string {
	var all [][]string
	if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "std") {
		return nil
	}
	for inner := nested.FindString(line); inner != ""; inner = nested.FindString(line) {
		all = append(all, typedIn(strings.TrimSuffix(inner[2:], ")"))...)
		line = strings.Replace(line, inner, "RESULT", 1)
	}
	for _, at := range program.FindAllStringIndex(line, -1) {
		rest := line[at[1]:]
		if end := ends.FindStringIndex(rest); end != nil {
			rest = rest[:end[0]]
		}
		var words []string
		for _, word := range strings.Fields(rest) {
			words = append(words, strings.Trim(word, `'"\`))
		}
		all = append(all, words)
	}
	return all
}

// note finds the command of a line and marks its options.
func note(root *cobra.Command, words []string, typed map[string]map[string]bool) {
	cmd, rest, err := root.Find(kit.SpellOut(root, words))
	if err != nil {
		return
	}
	cmd.InheritedFlags() // merges those of all commands
	options := typed[cmd.CommandPath()]
	if options == nil {
		options = map[string]bool{}
		typed[cmd.CommandPath()] = options
	}
	for _, word := range rest {
		if word == "--" {
			return
		}
		name, _, _ := strings.Cut(word, "=")
		var f *pflag.Flag
		switch {
		case strings.HasPrefix(name, "--"):
			f = cmd.Flags().Lookup(name[2:])
		case len(name) > 1 && name[0] == '-' && slices.Contains(shorthands(cmd), name[1:2]):
			f = cmd.Flags().ShorthandLookup(name[1:2])
		}
		if f != nil {
			options[f.Name] = true
		}
	}
}

func shorthands(cmd *cobra.Command) []string {
	var all []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { all = append(all, f.Shorthand) })
	return all
}

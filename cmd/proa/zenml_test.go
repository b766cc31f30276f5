package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/proa-ml/proa/command"
	"github.com/proa-ml/proa/internal/cli/kit"
)

// row is a command of the table, with the lines below it.
type row struct {
	words, arguments []string
	lines            []string
}

// TestWhatZenMLUsersType holds the program to testdata/zenml.table: every command, every spelling of every option and every
// column is there, or proa says in a line why not.
func TestWhatZenMLUsersType(t *testing.T) {
	table, home := tableOf(t), t.TempDir()
	t.Setenv("HOME", home)
	t.Chdir(home)
	for _, name := range []string{"PROA_CONFIG_DIR", "PROA_DATA_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"} {
		t.Setenv(name, "")
	}
	root, err := command.Tree(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(table) < 150 {
		t.Fatalf("the table has %d commands: it isn't read as a whole", len(table))
	}
	c := comparison{T: t, root: root, answered: map[string]bool{}, columns: map[string][]string{}}
	for _, r := range table {
		c.compare(r)
	}
}

// table reads the table, a row for each command.
func tableOf(t *testing.T) []row {
	t.Helper()
	data, err := os.ReadFile("testdata/zenml.table")
	if err != nil {
		t.Fatal(err)
	}
	var all, last []row
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#':
		case strings.HasPrefix(line, " "):
			for i := range last {
				all[len(all)-len(last)+i].lines = append(all[len(all)-len(last)+i].lines, text)
			}
		default:
			last = rows(text)
			all = append(all, last...)
		}
	}
	return all
}

// rows takes a line apart that may stand for several commands.
func rows(line string) []row {
	all := []row{{}}
	for _, word := range strings.Fields(line) {
		if strings.ToUpper(word) == word {
			for i := range all {
				all[i].arguments = append(all[i].arguments, word)
			}
			continue
		}
		var longer []row
		for _, one := range strings.Split(word, ",") {
			for _, r := range all {
				longer = append(longer, row{words: append(slices.Clone(r.words), one)})
			}
		}
		all = longer
	}
	return all
}

// comparison is that of the table with the program.
type comparison struct {
	*testing.T
	root *cobra.Command
	// answered are the commands without a meaning that were asked: they answer everything below them in the same way.
	answered map[string]bool
	// columns are those of the lists that were printed.
	columns map[string][]string
}

func (c comparison) compare(r row) {
	cmd, rest, err := c.root.Find(r.words)
	if err != nil {
		c.Errorf("%s: %v", r, err)
		return
	}
	if i := slices.IndexFunc(r.lines, func(line string) bool { return strings.HasPrefix(line, "=> ") }); i >= 0 {
		if path := cmd.CommandPath(); !c.answered[path] {
			c.answered[path] = true
			c.expect(strings.TrimPrefix(r.lines[i], "=> "), append(r.words, "x")...)
		}
		return
	}
	if len(rest) > 0 || !cmd.Runnable() || cmd.HasSubCommands() {
		c.Errorf("proa has no command `%s`", r)
		return
	}
	c.arguments(r, cmd)
	run := r.words
	for _, line := range r.lines {
		switch verb, text, _ := strings.Cut(line, " "); verb {
		case "run":
			run = append(slices.Clone(r.words), strings.Fields(text)...)
		case "says":
			c.expect(text, run...)
		case "column":
			c.column(r, text)
		default:
			c.option(r, cmd, line)
		}
	}
}

func (r row) String() string { return strings.Join(r.words, " ") }

// arguments checks that a command takes the arguments.
func (c comparison) arguments(r row, cmd *cobra.Command) {
	if cmd.DisableFlagParsing { // it looks at its arguments itself
		for _, argument := range r.arguments {
			if !strings.Contains(cmd.Use, argument) {
				c.Errorf("`proa %s` (%s) takes no %s", r, cmd.Use, argument)
			}
		}
		return
	}
	var least, most []string
	for _, argument := range r.arguments {
		most = append(most, "x")
		if !strings.HasPrefix(argument, "[") {
			least = append(least, "x")
		}
		if strings.HasSuffix(strings.Trim(argument, "[]"), "...") {
			most = append(most, "y", "z")
		}
	}
	for _, args := range [][]string{least, most} {
		if err := cmd.ValidateArgs(args); err != nil {
			c.Errorf("`proa %s` with %d arguments: %v", r, len(args), err)
		}
	}
}

// option checks each spelling of an option, or what is said to whoever types it.
func (c comparison) option(r row, cmd *cobra.Command, line string) {
	line, answer, answered := strings.Cut(line, "=>")
	spellings, valued := strings.CutSuffix(strings.TrimSpace(line), " VALUE")
	for _, spelling := range strings.Fields(spellings) {
		switch {
		case answered:
			args := append(slices.Clone(r.words), "default", spelling)
			if valued {
				args = append(args, "local")
			}
			c.expectOption(cmd, strings.TrimSpace(answer), args)
		case strings.Contains(spelling, "="):
			if !cmd.DisableFlagParsing {
				c.Errorf("`proa %s` takes no attributes", r)
			}
		default:
			c.known(r, cmd, spelling, valued)
		}
	}
}

// expectOption looks for the answer to an option, which mostly comes before anything is run.
func (c comparison) expectOption(cmd *cobra.Command, answer string, args []string) {
	err := cmd.ParseFlags(kit.SpellOut(c.root, args))
	if err == nil {
		c.expect(answer, args...)
	} else if err = cmd.FlagErrorFunc()(cmd, err); !strings.Contains(err.Error(), answer) {
		c.Errorf("`proa %s` says %v, want %s", strings.Join(args, " "), err, answer)
	}
}

// known checks that an option is there, and whether it takes a value.
func (c comparison) known(r row, cmd *cobra.Command, spelling string, valued bool) {
	f := cmd.Flags().Lookup(strings.TrimPrefix(spelling, "--"))
	switch name := kit.Shorthands(cmd)[spelling]; {
	case strings.HasPrefix(spelling, "--"):
	case name != "":
		f = cmd.Flags().Lookup(name)
	default:
		f = cmd.Flags().ShorthandLookup(strings.TrimPrefix(spelling, "-"))
	}
	if f == nil {
		c.Errorf("`proa %s` has no option %s", r, spelling)
	} else if valued != (f.NoOptDefVal == "") {
		c.Errorf("`proa %s %s`: takes a value: %v, want %v", r, spelling, !valued, valued)
	}
}

// column checks that a list has a column, or what is said to whoever sets what it would show.
func (c comparison) column(r row, text string) {
	name, answer, answered := strings.Cut(text, "=>")
	if answered {
		answer, typed, _ := strings.Cut(answer, ":")
		c.expect(strings.TrimSpace(answer), strings.Fields(typed)...)
		return
	}
	columns, known := c.columns[r.String()]
	if !known {
		out, err := exec.CommandContext(c.Context(), "proa", r.words...).Output()
		if err != nil {
			c.Errorf("`proa %s`: %v", r, err)
		}
		header, _, _ := strings.Cut(string(out), "\n")
		columns = regexp.MustCompile("  +").Split(header, -1)
		c.columns[r.String()] = columns
	}
	if !slices.Contains(columns, strings.TrimSpace(name)) {
		c.Errorf("`proa %s` has no column %s, but %q", r, name, columns)
	}
}

// expect runs a command and looks for an answer, which is a line or two: no stack trace.
func (c comparison) expect(answer string, args ...string) {
	out, _ := exec.CommandContext(c.Context(), "proa", args...).CombinedOutput()
	if !strings.Contains(string(out), answer) || strings.Contains(string(out), "goroutine") {
		c.Errorf("`proa %s` says\n%s\nwant %s", strings.Join(args, " "), out, answer)
	}
}

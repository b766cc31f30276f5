package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

// pages are those of docs whose commands are run, in order, and where: on the local stack or on the cluster.
var pages = map[string]string{
	"how-a-step-runs": "local", "failures": "local", "runs": "local", "cleaning": "local",
	"schedules": "kubernetes", "security": "kubernetes",
}

// TestDocs does what the pages of docs say. In a block marked `console`, what follows "$ " is run, and the lines below it have
// to be printed, in this order, where "..." stands for anything; a command that fails shows its "exit code". A block that says
// file=NAME is that file. A comment <!-- until: COMMAND --> waits until the command succeeds.
func TestDocs(t *testing.T) {
	for page, where := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			if where == "kubernetes" {
				requireCluster(t)
			}
			text, err := os.ReadFile(filepath.Join("..", "docs", page+".md"))
			if err != nil {
				t.Fatal(err)
			}
			params := scripts(t, "local")
			params.Dir = ""
			params.Files = []string{scriptOf(t, page, where, string(text))}
			params.Cmds["shows"] = shows
			testscript.Run(t, params)
		})
	}
}

// scriptOf makes a script of a page.
func scriptOf(t *testing.T, page, where, text string) string {
	var script strings.Builder
	archive := &txtar.Archive{}
	add := func(name, content string) {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(content)})
	}
	if where == "kubernetes" {
		script.WriteString("stack\nenv NAMESPACE=$ID\n")
	}
	count := 0
	for _, b := range blocksOf(text) {
		switch {
		case b.file != "":
			add(b.file, b.text)
		case b.kind == "until":
			count++
			add(fmt.Sprintf("do-%d.sh", count), inOneShell(b.text))
			fmt.Fprintf(&script, "waitfor 120s sh do-%d.sh\n", count)
		case b.kind == "console":
			for _, c := range commandsOf(b.text) {
				count++
				add(fmt.Sprintf("do-%d.sh", count), inOneShell(c.command))
				add(fmt.Sprintf("want-%d", count), c.output)
				fmt.Fprintf(&script, "exec sh do-%d.sh\nshows want-%d\n", count, count)
			}
		}
	}
	if count == 0 {
		t.Fatalf("docs/%s.md has no commands", page)
	}
	archive.Comment = []byte(script.String())
	name := filepath.Join(t.TempDir(), page+".txtar")
	if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// inOneShell makes a command see the variables that those before it have set, and tell how it failed.
func inOneShell(command string) string {
	return "exec 2>&1\nset -a\n[ ! -f .state ] || . ./.state\nset +e\n" + command + "\ncode=$?\nexport -p >.state\n[ $code = 0 ] || echo \"exit code $code\"\n"
}

// block is one that means something.
type block struct{ kind, file, text string }

var (
	fence   = regexp.MustCompile("(?ms)^```([a-z]+)( file=(\\S+))?\\n(.*?)^```$")
	awaited = regexp.MustCompile(`(?m)^<!-- until: (.*) -->$`)
)

// blocksOf returns the blocks and comments of a page, in order.
func blocksOf(text string) []block {
	var all []block
	for text != "" {
		f, u := fence.FindStringSubmatchIndex(text), awaited.FindStringSubmatchIndex(text)
		if f == nil && u == nil {
			break
		}
		if u != nil && (f == nil || u[0] < f[0]) {
			all = append(all, block{kind: "until", text: text[u[2]:u[3]] + " || exit 1"})
			text = text[u[1]:]
			continue
		}
		b := block{kind: text[f[2]:f[3]], text: text[f[8]:f[9]]}
		if f[6] >= 0 {
			b.file = text[f[6]:f[7]]
		}
		all = append(all, b)
		text = text[f[1]:]
	}
	return all
}

// shown is a command, and what it prints.
type shown struct{ command, output string }

// commandsOf reads a block of commands. A line that begins with "> " goes on with the command before it.
func commandsOf(text string) []shown {
	var all []shown
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "$ "):
			all = append(all, shown{command: strings.TrimPrefix(line, "$ ")})
		case strings.HasPrefix(line, "> ") && len(all) > 0:
			all[len(all)-1].command += strings.TrimPrefix(line, "> ")
		case len(all) > 0:
			all[len(all)-1].output += line
		}
	}
	return all
}

// shows checks that the last command printed the lines of a file, and that it failed only if they say so.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: shows FILE")
	}
	got, want := strings.Split(ts.ReadFile("stdout"), "\n"), ts.ReadFile(args[0])
	next := 0
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		if line == "" || line == "..." {
			continue
		}
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*") + "$")
		for next < len(got) && !pattern.MatchString(strings.Join(strings.Fields(got[next]), " ")) && !pattern.MatchString(strings.TrimSpace(got[next])) {
			next++
		}
		if next == len(got) {
			ts.Fatalf("the page says that this is printed, at this place: %s", line)
		}
		next++
	}
	if last := strings.TrimSpace(strings.Join(got, "\n")); !strings.Contains(want, "exit code ") {
		last = last[strings.LastIndexByte(last, '\n')+1:]
		if strings.HasPrefix(last, "exit code ") {
			ts.Fatalf("the page doesn't say that this fails")
		}
	}
}

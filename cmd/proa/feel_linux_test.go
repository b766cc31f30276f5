package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/proa-ml/proa/internal/cli/text"
)

// stacksOf writes a stacks file with names of all widths, and returns the home that it is in.
func stacksOf(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	file := filepath.Join(home, ".config/proa/stacks.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`active: 数据集合
components:
  artifact-store:
    größe: {flavor: s3, attributes: {path: "s3://a-bucket-with-a-long-name/and/a/prefix/of/several/parts", region: eu-central-1}}
    数据: {flavor: s3, attributes: {path: "s3://bucket/数据数据数据数据数据数据数据数据数据数据"}}
stacks:
  数据集合: {orchestrator: default, artifact-store: 数据, metadata-store: default}
  an-ordinary-name-of-a-stack: {orchestrator: default, artifact-store: größe, metadata-store: default}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

const escape = "\x1b["

// TestTablesOnATerminal prints tables on a narrow and on a wide terminal, with colours and without.
func TestTablesOnATerminal(t *testing.T) {
	home := stacksOf(t)
	escapes := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for _, c := range []struct {
		name    string
		columns uint16
		env     []string
		plain   bool
	}{
		{"narrow", 40, nil, false},
		{"wide", 200, nil, false},
		{"NO_COLOR", 200, []string{"NO_COLOR=1"}, true},
		{"dumb", 40, []string{"TERM=dumb"}, true},
	} {
		for _, noun := range []string{"stack", "artifact-store", "orchestrator", "profile"} {
			code, screen := session{columns: c.columns, env: c.env}.start(t, home, noun, "list").exit()
			if code != 0 {
				t.Fatalf("%s, %s list: code %d:\n%s", c.name, noun, code, screen)
			}
			for line := range strings.Lines(screen) {
				line = strings.TrimRight(escapes.ReplaceAllString(line, ""), "\r\n")
				if width := text.Width(line); width > int(c.columns) {
					t.Errorf("%s, %s list: a line takes %d columns: %s", c.name, noun, width, line)
				}
			}
			if painted := strings.Contains(screen, escape); painted == c.plain || strings.Contains(screen, "👉") == c.plain {
				t.Errorf("%s, %s list: painted: %v\n%s", c.name, noun, painted, screen)
			}
			if c.columns > 100 && strings.Contains(screen, "…") {
				t.Errorf("%s, %s list is cut though there is room:\n%s", c.name, noun, screen)
			}
		}
		_, screen := session{columns: c.columns, env: c.env}.start(t, home, "stack", "set", "nothing").exit()
		if want := map[bool]string{true: "Error: there", false: "\x1b[1;31mError:\x1b[0m there"}[c.plain]; !strings.HasPrefix(screen, want) {
			t.Errorf("%s: an error begins otherwise than %q:\n%q", c.name, want, screen)
		}
	}
}

// TestQuestionsAreNoData has the standard output in a file: whoever is asked sees the question, and the file doesn't have it.
func TestQuestionsAreNoData(t *testing.T) {
	home := stacksOf(t)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	p := session{out: out}.start(t, home, "stack", "delete", "an-ordinary-name-of-a-stack")
	p.answer("[y/N]", "y\n")
	if code, screen := p.exit(); code != 0 || !strings.Contains(screen, "Deleted stack") {
		t.Errorf("code %d:\n%s", code, screen)
	}
	if data, err := os.ReadFile(out.Name()); err != nil || len(data) > 0 {
		t.Errorf("the standard output has %q, %v", data, err)
	}
	code, screen := session{out: out}.start(t, home, "stack", "list").exit()
	data, err := os.ReadFile(out.Name())
	if err != nil || code != 0 || screen != "" || strings.Contains(string(data), escape) || !strings.Contains(string(data), "*       数据集合") {
		t.Errorf("a list into a file: code %d, %v, on the terminal %q, in the file:\n%s", code, err, screen, data)
	}
}

// TestInterruptInAQuestion leaves everything as it is.
func TestInterruptInAQuestion(t *testing.T) {
	home := stacksOf(t)
	file := filepath.Join(home, ".config/proa/stacks.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range []string{"\x03", "y\x03", "\x04", "\n", "nonsense\n"} {
		p := onTerminal(t, home, "stack", "delete", "an-ordinary-name-of-a-stack")
		p.answer("[y/N]", keys)
		code, screen := p.exit()
		if code != 3 || !strings.Contains(screen, "nothing was done") {
			t.Errorf("%q: code %d:\n%s", keys, code, screen)
		}
	}
	for _, args := range [][]string{{"runs", "delete", "some-run"}, {"clean"}} {
		if err := os.MkdirAll(filepath.Join(home, ".local/share/proa/artifacts/runs"), 0o700); err != nil {
			t.Fatal(err)
		}
		p := onTerminal(t, home, args...)
		p.answer("[y/N]", "\x03")
		if code, screen := p.exit(); code != 3 || !strings.Contains(screen, "interrupted: nothing was done") {
			t.Errorf("proa %s: code %d:\n%s", strings.Join(args, " "), code, screen)
		}
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the stacks file was changed: %v\n%s", err, after)
	}
}

// TestInterruptInUp starts a database in a cluster whose API server takes the connection and never answers.
func TestInterruptInUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	home := t.TempDir()
	config := filepath.Join(home, "kubeconfig")
	if err := os.WriteFile(config, []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://`+listener.Addr().String()+`"}}]
users: [{name: u, user: {}}]
contexts: [{name: silent, context: {cluster: c, user: u}}]
current-context: silent
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := session{env: []string{"KUBECONFIG=" + config, "CI="}}
	for _, line := range []string{
		"metadata-store register db --flavor=kubernetes --kubernetes_context=silent --deployment_name=db",
		"stack register k -o default -a default -m db --set",
	} {
		if code, screen := s.start(t, home, strings.Fields(line)...).exit(); code != 0 {
			t.Fatalf("proa %s: %s", line, screen)
		}
	}
	for _, args := range [][]string{{"stack", "up"}, {"metadata-store", "down"}} {
		p := s.start(t, home, args...)
		connection, err := listener.Accept() // it asks the cluster now
		if err != nil {
			t.Fatal(err)
		}
		p.answer("metadata store db", "\x03")
		code, screen := p.exit()
		_ = connection.Close()
		if code != 3 || !strings.Contains(screen, "what was done so far stays") || !strings.Contains(screen, "goes on from here") {
			t.Errorf("proa %s: code %d:\n%s", strings.Join(args, " "), code, screen)
		}
	}
}

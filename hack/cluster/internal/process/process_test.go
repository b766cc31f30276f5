package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 98765 1234 5 6"
	tests := []struct {
		name, stat string
		state      byte
		start      uint64
		bad        bool
	}{
		{name: "plain", stat: "42 (sleep) S" + rest, state: 'S', start: 98765},
		{name: "name with spaces and parentheses", stat: "42 (a) R (b c) Z" + rest, state: 'Z', start: 98765},
		{name: "empty", stat: "", bad: true},
		{name: "cut short", stat: "42 (sleep) S 1 2 3", bad: true},
		{name: "not a number", stat: "42 (sleep) S" + strings.Replace(rest, "98765", "x", 1), bad: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state, start, err := parseStat([]byte(test.stat))
			if (err != nil) != test.bad {
				t.Fatalf("error %v, want one: %v", err, test.bad)
			}
			if state != test.state || start != test.start {
				t.Errorf("got %c %d, want %c %d", state, start, test.state, test.start)
			}
		})
	}
}

// TestIdentity: a record whose process number has passed to another process names nobody, and stops nobody.
func TestIdentity(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = child.Process.Kill(), child.Wait() })
	identity, err := Identify(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !identity.Alive() {
		t.Error("a running process is not alive")
	}
	earlier, otherBoot, none := identity, identity, identity
	earlier.Start--
	otherBoot.Boot = "another"
	none.PID = 0
	for name, impostor := range map[string]Identity{"earlier": earlier, "other boot": otherBoot, "none": none} {
		if impostor.Alive() {
			t.Errorf("%s: taken for the running process", name)
		}
		if err := impostor.end(t.Context(), time.Second); name != "none" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !identity.Alive() {
		t.Fatal("stopping another process's record stopped this one")
	}
	if err := identity.end(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	if identity.Alive() {
		t.Error("it lives on") // also while nobody has waited for it
	}
}

func TestDigestFollowsConfiguration(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	digest := func(spec Spec) string {
		digest, err := spec.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	write("one")
	spec := Spec{Name: "server", Command: []string{"server", "-v"}, Config: []string{config}}
	first := digest(spec)
	if digest(spec) != first {
		t.Error("the same spec has two digests")
	}
	write("two")
	if digest(spec) == first {
		t.Error("a change of the configuration is no change")
	}
	write("one")
	spec.Command = []string{"server"}
	if digest(spec) == first {
		t.Error("a change of the command is no change")
	}
}

func TestFindUnreadableRecord(t *testing.T) {
	table := Table{Records: t.TempDir()}
	if err := os.WriteFile(table.record("server"), []byte(`{"pid":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if record, ok := table.Find("server"); ok {
		t.Errorf("half a record was read as %+v", record)
	}
	if err := table.Stop(t.Context(), "server", time.Second); err != nil {
		t.Errorf("stopping by half a record: %v", err)
	}
}

func TestTail(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte(strings.Repeat("x\n", 100)+"last but one\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := Tail(log, 2), "last but one\nlast"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Tail(log+"x", 2); !strings.HasPrefix(got, "(no log") {
		t.Errorf("a missing log is told as %q", got)
	}
}

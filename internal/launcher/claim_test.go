package launcher_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// Two coordinators that don't know of each other may both have a pod for an attempt.
func TestTwoLaunchersOfOneAttempt(t *testing.T) {
	b := newBench(t)
	first := b.start(shell(b.invocation(), "echo ready; read x < "+fifo(t, b)+"; exit 3"))
	first.awaitOutput("ready")
	second := b.start(b.invocation("print:ran again"))
	if code := second.wait(); code != step.ExitSuperseded || second.stdout.String() != "" {
		t.Errorf("the second launcher: exit code %d, output %q, %q", code, second.stdout.String(), second.stderr.String())
	}
	b.noOutcome()
	b.open(t)
	if code := first.wait(); code != 3 || b.outcome().ExitCode != 3 {
		t.Errorf("the first launcher: exit code %d, %q", code, first.stderr.String())
	}
}

func TestFirstOutcomeCounts(t *testing.T) {
	b := newBench(t)
	other, err := json.Marshal(step.Outcome{APIVersion: spec.APIVersion, Run: run, Name: name, Step: "other"})
	if err != nil {
		t.Fatal(err)
	}
	l := b.start(shell(b.invocation(), "echo ready; read x < "+fifo(t, b)+"; exit 0"))
	l.awaitOutput("ready")
	if err := b.store.Put(t.Context(), step.OutcomeKey(run, name), other); err != nil {
		t.Fatal(err)
	}
	b.open(t)
	if code := l.wait(); code != step.ExitSuperseded {
		t.Errorf("exit code %d, %q", code, l.stderr.String())
	}
	again := b.start(b.invocation("print:ran again"))
	if code := again.wait(); code != step.ExitSuperseded || again.stdout.String() != "" {
		t.Errorf("with an outcome there already: exit code %d, output %q", code, again.stdout.String())
	}
	if stored, _ := b.object(step.OutcomeKey(run, name)); stored != string(other) {
		t.Errorf("the outcome was replaced by %s", stored)
	}
}

// open lets go on what waits for the fifo.
func (b *bench) open(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.work, "fifo"), []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

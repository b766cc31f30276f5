package launcher_test

import (
	"os/exec"
	"testing"

	"github.com/proa-ml/proa/step"
)

// BenchmarkLaunch and BenchmarkBare run the same trivial step with and without a launcher; the difference is what the
// launcher costs.
func BenchmarkLaunch(b *testing.B) {
	t := newBench(b)
	for b.Loop() {
		if l := t.start(shell(t.invocation(), "exit 1")); l.wait() != 1 {
			b.Fatal(l.stderr.String())
		}
		b.StopTimer()
		t.unclaim()
		if err := t.store.Delete(b.Context(), step.OutcomeKey(run, name)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkBare(b *testing.B) {
	for b.Loop() {
		_ = exec.CommandContext(b.Context(), "sh", "-c", "exit 1").Run()
	}
}

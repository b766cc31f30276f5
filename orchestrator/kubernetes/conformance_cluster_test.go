package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/testbed/rights"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/drivertest"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// scriptPath is where the conformance tests' image holds their language runner.
const scriptPath = "/opt/proa/bin/script"

// launcherImage holds the real launcher, and the test's program as language runner.
func launcherImage(t *testing.T) string {
	t.Helper()
	ref, err := pushImage(t.Context(), t.TempDir(), map[string]string{
		launcherPath: "../../cmd/proa-step", scriptPath: "./testdata/program",
	})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// The real launcher in a pod: it reads its invocation from the bucket, runs, and tells; then the next. The coordinator has
// the rights of its service account, needs no others, and needs all of them.
func TestClusterLauncher(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	w.image = launcherImage(t)
	notes := w.asAccount(t, serviceAccount)
	run := "run-" + random(t, 8)
	o := w.open(t, run, true)
	h := watching(t, o, run)
	store, err := artifact.Open(t.Context(), w.access().Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for _, name := range []string{"first-1", "second-1", "third-1"} {
		invocation, err := json.Marshal(step.Invocation{
			APIVersion: spec.APIVersion, Run: run, Step: "a step", Attempt: 1, Name: name,
			Command: []string{scriptPath, "script", "print:it ran", "output:result=" + name}, Dir: "/tmp",
			Outputs: []spec.Output{{Name: "result"}}, Grace: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Put(t.Context(), step.InvocationKey(run, name), invocation); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		start(t, o, w.attempt(run, name))
		end := h.ended(t, name)
		t.Logf("%s took %v from its start to its outcome", name, time.Since(began).Round(time.Millisecond))
		checkLaunched(t, h, end, name)
		if err := o.Remove(t.Context(), name, false); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the idle pod is deleted", func() bool { return len(w.pods(t)) == 0 })
	if diff := cmp.Diff(rights.Permitted(buildRole("").Rules), notes.Taken()); diff != "" {
		t.Errorf("a coordinator's role and what it has asked of the cluster differ (-role +asked):\n%s", diff)
	}
}

func checkLaunched(t *testing.T, h *heard, end driver.Status, name string) {
	t.Helper()
	if end.Outcome == nil || end.Outcome.Status != step.Succeeded || end.Outcome.Outputs["result"].Digest == "" {
		t.Fatalf("%s ended with %+v %+v %+v", name, end, end.Outcome, end.Failure)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !strings.Contains(h.logs[name], "it ran") {
		t.Errorf("%s: the live log is %q", name, h.logs[name])
	}
}

// The same suite that local processes pass, in pods of a real cluster.
func TestClusterConformance(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	store, err := artifact.Open(t.Context(), w.access().Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	drivertest.Run(t, drivertest.Harness{
		Open:     func(t *testing.T, run string) driver.Orchestrator { return w.open(t, run, true) },
		Store:    store,
		Command:  []string{scriptPath, "script"},
		Dir:      "/tmp",
		Image:    launcherImage(t),
		Outlives: true,
		Patience: patience,
	})
}

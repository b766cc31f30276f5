package run_test

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/launcher"
	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/sqlite"
	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/orchestrator/local"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// role says what the test's own program is to be: the launcher, or the runner.
const role = "RUN_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "launcher":
		signals := make(chan os.Signal, 16)
		signal.Notify(signals, launcher.Signals()...)
		os.Exit(launcher.Main(context.Background(), launcher.Surroundings{
			Environ: os.Environ(), Signals: signals, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now, Root: os.DirFS("/"),
		}, nil))
	case "runner":
		os.Exit(script.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// machine is a local stack: processes, a folder of artifacts and a SQLite file.
type machine struct {
	run.Components
	store *artifact.Store
	seen  seen
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	access := step.Access{APIVersion: spec.APIVersion, Store: step.Store{URL: artifact.FileURL(t.TempDir())}}
	store, err := artifact.Open(t.Context(), access.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "metadata.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	orch, err := local.New(local.Config{Launcher: os.Args[0], Access: access, Dir: t.TempDir(), Environ: append(os.Environ(), role+"=launcher")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = orch.Close() })
	return &machine{Components: run.Components{Artifacts: store, Metadata: db, Orchestrator: orch}, store: store}
}

// does makes a step of script actions.
func does(name string, inputs map[string]spec.Input, actions ...string) plan.Step {
	st := plan.Step{
		Name: name, Recipe: name + strings.Join(actions, " "), Cache: true, Command: append([]string{os.Args[0]}, actions...),
		Dir: filepath.Dir(os.Args[0]), Env: map[string]string{role: "runner"}, Inputs: inputs,
	}
	for _, in := range inputs {
		st.Needs = append(st.Needs, in.Step)
	}
	for _, action := range actions {
		if _, out, ok := strings.Cut(action, "="); ok && strings.HasPrefix(action, "copy:") {
			st.Outputs = append(st.Outputs, spec.Output{Name: out})
		} else if out, ok := strings.CutPrefix(action, "output:"); ok {
			st.Outputs = append(st.Outputs, spec.Output{Name: strings.Split(out, "=")[0]})
		}
	}
	return st
}

func (m *machine) execute(t *testing.T, opts run.Options, steps ...plan.Step) run.Result {
	t.Helper()
	data, err := json.Marshal(plan.Plan{APIVersion: spec.APIVersion, Pipeline: "on this machine", Steps: steps})
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Create(t.Context(), m.Metadata, mdriver.Run{Pipeline: "on this machine", Spec: []byte("{}"), Plan: data}, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts.Observer = &m.seen
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := run.Execute(ctx, m.Components, r.ID, &opts)
	if err != nil {
		t.Fatalf("%v; notices: %q", err, m.seen.notices)
	}
	return result
}

func TestOnThisMachine(t *testing.T) {
	m := newMachine(t)
	steps := []plan.Step{
		does("make", nil, "print:making", "output:out=hello"),
		does("pass", map[string]spec.Input{"in": {Step: "make", Output: "out"}}, "print:passing", "copy:in=out"),
	}
	result := m.execute(t, run.Options{}, steps...)
	if result.Status != run.Succeeded {
		t.Fatalf("the run %s: %+v", result.Status, result.Steps)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := m.store.Fetch(t.Context(), result.Steps[1].Outputs["out"].Digest, dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files of the output: %v, %v", files, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, files[0].Name())); err != nil || strings.TrimSpace(string(text)) != "hello" {
		t.Errorf("the output is %q, %v", text, err)
	}
	if diff := cmp.Diff(map[string]string{"make/1@0": "making\n", "pass/1@0": "passing\n"}, m.seen.logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	again := m.execute(t, run.Options{}, steps...)
	if diff := cmp.Diff(map[string]string{"make": "cached", "pass": "cached"}, statuses(again)); diff != "" {
		t.Errorf("the second run (-want +got):\n%s", diff)
	}
}

func TestFailureOnThisMachine(t *testing.T) {
	m := newMachine(t)
	result := m.execute(t, run.Options{}, does("raise", nil, "fail:no luck"), does("exit", nil, "exit:3"))
	if result.Status != run.Failed {
		t.Errorf("the run %s", result.Status)
	}
	for _, st := range result.Steps {
		if st.Status != "skipped" && (st.Failure == nil || st.Failure.Kind != step.FailureUser) {
			t.Errorf("step %s is %s with %+v", st.Name, st.Status, st.Failure)
		}
	}
}

func TestCancelOnThisMachine(t *testing.T) {
	m, on := newMachine(t), make(chan struct{})
	go func() {
		defer close(on)
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			m.seen.mu.Lock()
			running := m.seen.logs["wait/1@0"] != ""
			m.seen.mu.Unlock()
			if running {
				return
			}
		}
	}()
	result := m.execute(t, run.Options{CancelOn: on}, does("wait", nil, "print:waiting", "block"))
	if result.Status != run.Cancelled || result.Steps[0].Status != "cancelled" {
		t.Errorf("the run %s: %+v", result.Status, result.Steps)
	}
}

package local_test

import (
	"context"
	"os"
	"os/signal"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/launcher"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/drivertest"
	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/orchestrator/local"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// role says what the test's own program is to be: the launcher, or the runner.
const role = "LOCAL_TEST_ROLE"

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
	case "parent":
		os.Exit(parent(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// setup is a file store, a folder, and how to open an orchestrator on them.
type setup struct {
	dir    string
	access step.Access
	store  *artifact.Store
}

func newSetup(t *testing.T) setup {
	t.Helper()
	s := setup{dir: t.TempDir(), access: step.Access{APIVersion: spec.APIVersion, Store: step.Store{URL: artifact.FileURL(t.TempDir())}}}
	store, err := artifact.Open(t.Context(), s.access.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s.store = store
	return s
}

func (s setup) open(t *testing.T, parallelism int) *local.Orchestrator {
	t.Helper()
	o, err := local.New(local.Config{
		Launcher: self(t), Access: s.access, Dir: s.dir, Parallelism: parallelism,
		Environ: append(os.Environ(), "GORACE=atexit_sleep_ms=0", role+"=launcher"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

func TestConformance(t *testing.T) {
	s := newSetup(t)
	drivertest.Run(t, drivertest.Harness{
		Open:    func(t *testing.T, _ string) driver.Orchestrator { return s.open(t, 0) },
		Store:   s.store,
		Command: []string{self(t)},
		Env:     map[string]string{role: "runner"},
	})
}

package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/drivertest"
	"github.com/proa-ml/proa/metadata/sqlite"
)

func open(t testing.TB, path string) driver.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) func(*testing.T) driver.Store {
		path := filepath.Join(t.TempDir(), "a folder?", "proa #1 é%20.db")
		return func(t *testing.T) driver.Store { return open(t, path) }
	})
}

func TestFileIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	store := open(t, filepath.Join(dir, "proa.db"))
	if err := store.CreateRun(t.Context(), driver.Run{ID: "a", Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, error %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, error %v", f.Name(), info.Mode(), err)
		}
	}
}

// helperEnv makes this test's program open a store, add runs and end: another process.
const helperEnv = "PROA_TEST_SQLITE_HELPER"

func TestMain(m *testing.M) {
	if path := os.Getenv(helperEnv); path != "" {
		os.Exit(helper(path))
	}
	os.Exit(m.Run())
}

func helper(path string) int {
	ctx, cancel := contextWithDeadline()
	defer cancel()
	store, err := sqlite.Open(ctx, path, nil)
	for i := 0; err == nil && i < 20; i++ {
		id := fmt.Sprintf("p%d-%d", os.Getpid(), i)
		err = store.CreateRun(ctx, driver.Run{ID: id, Name: id})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestProcessesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proa.db")
	const processes = 4
	var group sync.WaitGroup
	for range processes {
		group.Go(func() {
			command := exec.CommandContext(t.Context(), os.Args[0])
			command.Env = append(os.Environ(), helperEnv+"="+path)
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("another process: %v\n%s", err, out)
			}
		})
	}
	group.Wait()
	runs, err := open(t, path).Runs(t.Context(), driver.Query{Limit: 1000})
	if err != nil || len(runs) != processes*20 {
		t.Errorf("%d runs, want %d; error %v", len(runs), processes*20, err)
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proa.db")
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // a test's
	if _, err := db.ExecContext(t.Context(), "INSERT INTO proa_schema (version) VALUES (999)"); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), path, nil)
	if err == nil || !strings.Contains(err.Error(), "newer proa") || errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("opening a newer database: got %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{garbage: "not a database of proa's", dir: dir, filepath.Join(garbage, "x.db"): garbage} {
		_, err := sqlite.Open(t.Context(), path, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("opening %s: got %v, want an error with %q", path, err, want)
		}
	}
}

func TestManyRunsListFast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proa.db")
	fill(t, path, 10_000)
	best := time.Hour
	for range 3 {
		start := time.Now()
		store, err := sqlite.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := store.Runs(t.Context(), driver.Query{Pipeline: "p1"})
		if err != nil || len(runs) != 50 {
			t.Fatalf("%d runs, error %v", len(runs), err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("opening, listing and closing took %v", best)
	if best > 100*time.Millisecond {
		t.Errorf("opening a store of 10,000 runs and listing took %v, want at most 100 ms", best)
	}
}

// fill adds n runs with big specs in one statement.
func fill(t *testing.T, path string, n int) {
	t.Helper()
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // a test's
	store := open(t, path)
	if err := store.CreateRun(t.Context(), driver.Run{ID: "seed", Name: "seed", Pipeline: "p1", Spec: []byte(`"` + strings.Repeat("x", 20_000) + `"`)}); err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO proa_runs SELECT 'r'||i, 'h'||i, pipeline_hash, status, i*1000000, 0, 0, 0, 'name'||i, pipeline, stack, orchestrator, context, namespace, spec, plan
		FROM n, proa_runs WHERE id = 'seed'`, n)
	if err != nil {
		t.Fatal(err)
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/progress"
)

func testCluster(t *testing.T) (*Cluster, facts) {
	t.Helper()
	c, err := New(Options{State: filepath.Join("/tmp", "proa-test"), Now: time.Now, Progress: progress.New(io.Discard, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	return c, facts{ID: identify(c.state), Subnet: netip.MustParsePrefix("10.83.0.0/20"), S3Key: "key", S3Secret: "it's a secret",
		MySQLPassword: "word", Python: "3.11.2", Version: "v"}
}

func TestEnv(t *testing.T) {
	c, f := testCluster(t)
	variables := c.variables(f)
	shell := string(Shell(variables))
	for _, want := range []string{
		"export PROA_TEST_CONTEXT=proa-test\n",
		"export PROA_TEST_REGISTRY=10.83.0.1:5000\n",
		"export PROA_TEST_PARENT_IMAGE=10.83.0.1:5000/python:3.11-slim\n",
		"export PROA_TEST_S3_ENDPOINT=http://10.83.0.1:9000\n",
		"export PROA_TEST_GCS_KEY_FILE=/tmp/proa-test/config/gcs.json\n",
		"export PROA_TEST_AZURE_ENDPOINT=http://10.83.0.1:10000\n",
		`export PROA_TEST_S3_SECRET='it'\''s a secret'` + "\n",
		"export PROA_TEST_KUBECTL=/tmp/proa-test/bin/kubectl\n",
	} {
		if !strings.Contains(shell, want) {
			t.Errorf("no %q in\n%s", want, shell)
		}
	}
	content, err := JSON(variables)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]string
	if err := json.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	if values["PROA_TEST_S3_SECRET"] != f.S3Secret || len(values) != len(variables) {
		t.Errorf("got %v", values)
	}
}

func TestQuote(t *testing.T) {
	for value, want := range map[string]string{"": "''", "a-b/c:1": "a-b/c:1", "a b": "'a b'", "$x": "'$x'", "it's": `'it'\''s'`, "a\nb": "'a\nb'"} {
		if got := quote(value); got != want {
			t.Errorf("quote(%q) is %s, want %s", value, got, want)
		}
	}
}

func TestFactsRoundTrip(t *testing.T) {
	state := layout(t.TempDir())
	if _, found, err := readFacts(state); found || err != nil {
		t.Errorf("facts where there are none: %v, %v", found, err)
	}
	_, f := testCluster(t)
	f.ID, f.Complete, f.Kernel = identify(state), true, map[string]string{"kernel/panic": "0"}
	if err := writeFacts(state, f); err != nil {
		t.Fatal(err)
	}
	got, found, err := readFacts(state)
	if err != nil || !found || got.Subnet != f.Subnet || got.S3Secret != f.S3Secret || !got.Complete {
		t.Errorf("got %+v, %v, %v", got, found, err)
	}
	for name, content := range map[string]string{"cut short": `{"id": "`, "of another directory": `{"id": "00000000"}`} {
		if err := os.WriteFile(state.facts(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, found, err := readFacts(state); found || err != nil {
			t.Errorf("facts %s: found %v, %v", name, found, err)
		}
	}
}

func TestClaimRefusesAnothersDirectory(t *testing.T) {
	dir := layout(t.TempDir())
	if err := dir.claim(); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := os.WriteFile(dir.path("precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dir.claim(); err == nil {
		t.Error("a directory with something else in it was taken")
	}
	if err := os.WriteFile(dir.lock(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dir.claim(); err != nil {
		t.Errorf("a cluster's directory: %v", err)
	}
}

func TestLongStateDirectory(t *testing.T) {
	_, err := New(Options{State: "/" + strings.Repeat("x", 100), Now: time.Now, Progress: progress.New(io.Discard, time.Now)})
	if err == nil {
		t.Error("a path too long for sockets was taken")
	}
}

// TestServersNeedWhatThereIs: every need names a server or a chore, and the order has no circle.
func TestServersNeedWhatThereIs(t *testing.T) {
	c, f := testCluster(t)
	tasks := c.chores(f, parts{})
	for _, server := range c.servers(f) {
		tasks = append(tasks, task{name: server.name, needs: server.needs})
	}
	var mu sync.Mutex
	var order []string
	for i := range tasks {
		tasks[i].run = func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, tasks[i].name)
			return nil
		}
	}
	limited, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := runTasks(limited, tasks); err != nil {
		t.Fatal(err)
	}
	at := func(name string) int { return slices.Index(order, name) }
	for _, task := range tasks {
		for _, need := range task.needs {
			if at(need) > at(task.name) {
				t.Errorf("%s was done before %s, which it needs", task.name, need)
			}
		}
	}
}

func TestRunTasksStopsAtTheFirstFailure(t *testing.T) {
	broken := errors.New("broken")
	tasks := []task{
		{name: "fails", run: func(context.Context) error { return broken }},
		{name: "waits", run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		{name: "after", needs: []string{"fails"}, run: func(context.Context) error { t.Error("done all the same"); return nil }},
	}
	if err := runTasks(t.Context(), tasks); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := runTasks(t.Context(), []task{{name: "a", needs: []string{"b"}}}); err == nil {
		t.Error("a need that there is not was taken")
	}
}

func TestPythonTag(t *testing.T) {
	for version, want := range map[string]string{"3.11.2": "3.11-slim", "3.13.5": "3.13-slim", "3": "3-slim"} {
		if got := pythonTag(facts{Python: version}); got != want {
			t.Errorf("Python %s: tag %s, want %s", version, got, want)
		}
	}
}

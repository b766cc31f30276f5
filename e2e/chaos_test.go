package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proa-ml/proa/internal/testbed"
)

// stormLimit is how long a run under faults may take.
const stormLimit = 8 * time.Minute

// TestChaos runs pipelines on the throw-away cluster while all that can go away does.
func TestChaos(t *testing.T) {
	requireOwnCluster(t)
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	if given := os.Getenv("PROA_CHAOS_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("PROA_CHAOS_SEED: %v", err)
		}
	}
	t.Logf("PROA_CHAOS_SEED=%d plans the same faults again", seed)
	p := scripts(t, "chaos")
	s := &storms{t: t, client: connect(t), faults: rand.New(rand.NewPCG(seed, seed)), effects: listen(t)} //nolint:gosec // it is to be replayed
	p.Cmds["quiet"], p.Cmds["storm"], p.Cmds["twins"] = s.quiet, s.storm, s.twins
	testscript.Run(t, p)
}

// TestChaosDisruptions has the cluster do to pods what clusters do, on purpose or not.
func TestChaosDisruptions(t *testing.T) {
	requireOwnCluster(t)
	testscript.Run(t, scripts(t, "disruptions"))
}

// requireOwnCluster checks that there is a cluster that this test may do anything to.
func requireOwnCluster(t *testing.T) {
	t.Helper()
	testbed.Long(t)
	requireCluster(t)
	requireVariables(t, "HOST")
	if os.Getenv("PROA_CLUSTER_DIR") == "" {
		testbed.Missing(t, "PROA_CLUSTER_DIR is not set: processes are killed and services stopped only on the throw-away cluster of hack/cluster")
	}
}

// storms runs the pipeline storm.py with and without faults.
type storms struct {
	t       *testing.T
	client  client
	faults  *rand.Rand
	effects *effects
	// want are the digests of the outputs of each step in the undisturbed runs.
	want map[string]map[string]string
}

// quiet runs the pipeline undisturbed.
func (s *storms) quiet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: quiet warm|pod")
	}
	began := time.Now()
	client := s.start(ts, args[0])
	ts.Check(client.Wait())
	s.t.Logf("undisturbed, isolation %s: %s", args[0], time.Since(began).Round(time.Second))
	run := newest(ts)
	s.judge(ts, run)
	got := digests(run)
	if s.want == nil {
		s.want = got
	}
	if diff := cmp.Diff(s.want, got); diff != "" {
		ts.Fatalf("the artifacts of undisturbed runs differ (-first +this):\n%s", diff)
	}
}

// storm runs the pipeline while faults happen, and compares it with the undisturbed runs.
func (s *storms) storm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: storm warm|pod")
	}
	ctx, cancel := context.WithTimeout(context.Background(), stormLimit)
	defer cancel()
	before := newest(ts)
	w := &weather{ctx: ctx, ts: ts, say: s.t.Logf, client: s.client, namespace: ts.Getenv("ID"), program: s.start(ts, args[0])}
	plan := forecast(s.faults)
	began := time.Now()
	until(ctx, ts, "begin", func() (record, bool) { r := newest(ts); return r, r.id != before.id && r.status == "running" })
	for _, f := range plan {
		w.strike(f, func() bool { return newest(ts).final() })
	}
	run := until(ctx, ts, "end", func() (record, bool) { r := newest(ts); return r, r.final() })
	s.t.Logf("isolation %s: ended after %s", args[0], time.Since(began).Round(time.Second))
	if err := w.program.Wait(); err != nil && !w.killed {
		ts.Fatalf("the client failed: %v", err)
	}
	s.clear(ts)
	s.judge(ts, run)
	if diff := cmp.Diff(s.want, digests(run)); diff != "" {
		ts.Fatalf("the artifacts are not those of an undisturbed run (-undisturbed +this):\n%s", diff)
	}
	report(ts, run, args[0])
}

// report writes a page of the run, and a picture of it, into build/report.
func report(ts *testscript.TestScript, run record, isolation string) {
	folder := filepath.Join(ts.Getenv("ROOT"), "build", "report")
	ts.Check(os.MkdirAll(folder, 0o755))
	page := filepath.Join(folder, "chaos-"+isolation+".html")
	ts.Check(ts.Exec("proa", "runs", "report", run.name, "-o", page))
	browser, err := exec.LookPath("chromium-headless-shell")
	if err != nil {
		ts.Fatalf("there is no Chromium to take a picture of a run's page with: install the Debian package chromium-headless-shell")
	}
	picture := strings.TrimSuffix(page, "html") + "png"
	ts.Check(ts.Exec(browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--user-data-dir="+ts.MkAbs("browser"),
		"--window-size=1040,2400", "--screenshot="+picture, "file://"+page))
	if info, err := os.Stat(picture); err != nil || info.Size() < 10_000 {
		ts.Fatalf("the picture of %s: %v", page, err)
	}
}

// start starts the client, with more in its environment.
func (s *storms) start(ts *testscript.TestScript, isolation string, more ...string) *exec.Cmd {
	cmd := exec.Command(os.Getenv("PROA_TEST_VENV")+"/bin/python", "storm.py") //nolint:gosec // it outlives the command that starts it
	for _, name := range []string{"PATH", "HOME", "PROA_CONFIG_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME", "PROA_CACHE_DIR", "KUBECONFIG"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(append(cmd.Env, "ISOLATION="+isolation, "COUNTER="+s.effects.url(ts.Getenv("PROA_TEST_HOST"))), more...)
	cmd.Dir = ts.MkAbs(".")
	log, err := os.Create(ts.MkAbs("client.log"))
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = log, log
	own(cmd)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		end(cmd)
		_ = log.Close()
	})
	return cmd
}

// judge checks that a run succeeded, that each step counts once, and that none ran again after it had succeeded.
func (s *storms) judge(ts *testscript.TestScript, run record) {
	if run.status != "succeeded" {
		ts.Fatalf("run %s has %s\n%s", run.name, run.status, ts.ReadFile("client.log"))
	}
	if len(run.steps) != 30 {
		ts.Fatalf("run %s has %d steps, not 30", run.name, len(run.steps))
	}
	for name, row := range run.steps {
		if row.status != "succeeded" || row.counted != 1 {
			ts.Fatalf("step %s is %s, and %d of its attempts have succeeded", name, row.status, row.counted)
		}
		begun := s.effects.begun(run.name, name)
		for number, times := range begun {
			if times > 1 {
				ts.Fatalf("attempt %d of step %s ran %d times", number, name, times)
			}
			if number > row.attempt {
				ts.Fatalf("attempt %d of step %s ran, though attempt %d had succeeded", number, name, row.attempt)
			}
		}
		if begun[row.attempt] != 1 {
			ts.Fatalf("attempt %d of step %s counts, but never ran: %v", row.attempt, name, begun)
		}
	}
	s.empty(ts)
}

// empty waits until nothing is left in the script's namespace of what runs put there. A Job stays for a minute.
func (s *storms) empty(ts *testscript.TestScript) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var left []string
	for time.Sleep(0); ; time.Sleep(500 * time.Millisecond) {
		var err error
		if left, err = s.client.objects(ctx, ts.Getenv("ID")); err == nil && len(left) == 0 {
			return
		}
		if ctx.Err() != nil {
			ts.Fatalf("left in the namespace: %v (%v)", left, err)
		}
	}
}

// until asks until it is so.
func until[T any](ctx context.Context, ts *testscript.TestScript, what string, ask func() (T, bool)) T {
	for {
		if found, ok := ask(); ok {
			return found
		}
		if ctx.Err() != nil {
			ts.Fatalf("the run did not %s in time\n%s", what, ts.ReadFile("client.log"))
		}
		time.Sleep(250 * time.Millisecond)
	}
}

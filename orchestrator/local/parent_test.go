package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/local"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// parent is a coordinator for TestNothingOutlivesAKilledParent: it starts one attempt, whose invocation is stored, and
// prints what its step writes until it is killed. Its arguments are the folder, the store's URL and the attempt's name.
func parent(args []string) int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	o, err := local.New(local.Config{
		Launcher: self, Dir: args[0], Access: step.Access{APIVersion: spec.APIVersion, Store: step.Store{URL: args[1]}},
		Environ: append(os.Environ(), "GORACE=atexit_sleep_ms=0", role+"=launcher"),
	}, nil)
	if err != nil {
		return 1
	}
	ctx := context.Background()
	if err := o.Start(ctx, driver.Attempt{Run: "r", Name: args[2]}); err != nil {
		return 1
	}
	_ = o.Watch(ctx, "r", nil, printer{})
	return 1
}

type printer struct{}

func (printer) Status(driver.Status) {}

func (printer) Log(_ string, _ int64, data []byte) { _, _ = os.Stdout.Write(data) }

func (s setup) put(t *testing.T, name string, command ...string) {
	t.Helper()
	data, err := json.Marshal(step.Invocation{
		APIVersion: spec.APIVersion, Run: "r", Name: name, Step: name, Command: command, Dir: t.TempDir(),
		Env: map[string]string{role: "runner"}, Grace: time.Second,
	})
	if err == nil {
		err = s.store.Put(t.Context(), step.InvocationKey("r", name), data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	s := newSetup(t)
	// The step's shell, a child of it, and one that left the process group.
	s.put(t, "a", "sh", "-c", `sleep 1000 & echo $!; setsid sh -c 'echo $$; exec sleep 1000' & echo $$; wait`)
	cmd := exec.CommandContext(t.Context(), self(t), s.dir, s.access.Store.URL, "a")
	cmd.Env = append(os.Environ(), role+"=parent")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 3 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("process %d to be gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
	if _, err := s.store.Get(t.Context(), step.OutcomeKey("r", "a")); err == nil {
		t.Error("there is an outcome, though nobody had asked the step to end")
	}
	// The next orchestrator clears away what the killed one left, secrets above all.
	left := func() []string {
		files, _ := filepath.Glob(filepath.Join(s.dir, "*", "access.json"))
		return files
	}
	if len(left()) != 1 {
		t.Fatalf("left are %v", left())
	}
	o := s.open(t, 0)
	if len(left()) != 1 {
		t.Errorf("beside the new one there are %v", left())
	}
	if err := o.Close(); err != nil || len(left()) != 0 {
		t.Errorf("closed with %v, left are %v", err, left())
	}
}

func TestAccessFileIsPrivate(t *testing.T) {
	s := newSetup(t)
	s.open(t, 0)
	second := s.open(t, 0)
	files, _ := filepath.Glob(filepath.Join(s.dir, "*", "access.json"))
	if len(files) != 2 {
		t.Fatalf("two orchestrators have the access files %v", files)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Start(t.Context(), driver.Attempt{Run: "r", Name: "x"}); err == nil {
		t.Error("a closed orchestrator started something")
	}
}

// statuses keeps what a watch told.
type statuses chan driver.Status

func (s statuses) Status(status driver.Status) { s <- status }

func (statuses) Log(string, int64, []byte) {}

func (s statuses) await(t *testing.T, name string, phase driver.Phase, reason string) driver.Status {
	t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	for {
		select {
		case status := <-s:
			if status.Attempt == name && status.Phase == phase && strings.Contains(status.Reason, reason) {
				return status
			}
		case <-timer.C:
			t.Fatalf("%s never was %s with the reason %q", name, phase, reason)
		}
	}
}

func TestParallelismIsBounded(t *testing.T) {
	s := newSetup(t)
	o := s.open(t, 1)
	events := make(statuses, 100)
	go func() { _ = o.Watch(t.Context(), "r", nil, events) }()
	for _, name := range []string{"a", "b", "c"} {
		s.put(t, name, self(t), "block")
		if err := o.Start(t.Context(), driver.Attempt{Run: "r", Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	events.await(t, "c", driver.Pending, "at most 1 at once")
	if err := o.Stop(t.Context(), "b", time.Second); err != nil {
		t.Fatal(err)
	}
	if b := events.await(t, "b", driver.Ended, ""); b.Failure == nil || b.Failure.Kind != step.FailureCancelled {
		t.Errorf("stopped while it waited: %+v", b)
	}
	if err := o.Stop(t.Context(), "a", time.Second); err != nil {
		t.Fatal(err)
	}
	events.await(t, "a", driver.Ended, "")
	events.await(t, "c", driver.Running, "")
}

func TestSilentEndsAreExplained(t *testing.T) {
	s := newSetup(t)
	o := s.open(t, 0)
	events := make(statuses, 100)
	go func() { _ = o.Watch(t.Context(), "r", nil, events) }()
	if err := o.Start(t.Context(), driver.Attempt{Run: "r", Name: "nothing-stored"}); err != nil {
		t.Fatal(err)
	}
	ended := events.await(t, "nothing-stored", driver.Ended, "")
	if ended.ExitCode != step.ExitStore || ended.Failure.Kind != step.FailureLost || !strings.Contains(ended.Failure.Message, "invocation") {
		t.Errorf("got %+v, %+v", ended, ended.Failure)
	}
	if _, err := local.New(local.Config{Launcher: "/no/such/proa-step", Dir: s.dir}, nil); err == nil {
		t.Error("a missing launcher was accepted")
	}
}

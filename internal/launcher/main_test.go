package launcher_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/launcher"
	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// role says what the test's own program is to be: the launcher, or the runner.
const role = "LAUNCHER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "launcher":
		signals := make(chan os.Signal, 16)
		signal.Notify(signals, launcher.Signals()...)
		os.Exit(launcher.Main(context.Background(), launcher.Surroundings{
			Environ: os.Environ(), Signals: signals, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now, Root: os.DirFS("/"),
		}, &launcher.Options{Flush: 20 * time.Millisecond, Patience: time.Second}))
	case "runner":
		os.Exit(script.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const (
	run  = "0123456789abcdef"
	name = "digits-trainer-1-0123456789abcdef"
)

// bench is a file store, and what is needed to launch attempts on it.
type bench struct {
	testing.TB
	access step.Access
	store  *artifact.Store
	work   string
	self   string
	env    []string
	// wrap is a command that ends in the launcher; nil means the launcher itself.
	wrap []string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, self: self, work: t.TempDir()}
	b.access = step.Access{APIVersion: spec.APIVersion, Store: step.Store{URL: artifact.FileURL(t.TempDir())}, Key: []byte("the run's key")}
	if b.store, err = artifact.Open(t.Context(), b.access.Store, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	return b
}

// invocation returns one whose runner is a script of the given actions.
func (b *bench) invocation(actions ...string) step.Invocation {
	return step.Invocation{
		APIVersion: spec.APIVersion, Run: run, RunName: "a run", Pipeline: "digits", Step: "trainer", Attempt: 1, Name: name,
		Command: append([]string{b.self}, actions...), Dir: b.work, Env: map[string]string{role: "runner"},
		Source: "run:trainer", Grace: time.Minute,
	}
}

func shell(inv step.Invocation, script string) step.Invocation {
	inv.Command = []string{"sh", "-c", script}
	return inv
}

// launched is a launcher that runs.
type launched struct {
	*bench
	cmd            *exec.Cmd
	stdout, stderr *buffer
}

// start stores the invocation and starts a launcher on it.
func (b *bench) start(inv step.Invocation) *launched {
	b.Helper()
	data, err := json.Marshal(inv)
	if err == nil {
		err = b.store.Put(b.Context(), step.InvocationKey(run, name), data)
	}
	if err != nil {
		b.Fatal(err)
	}
	return b.launch(b.writeAccess())
}

func (b *bench) writeAccess() string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "access.json")
	data, err := json.Marshal(b.access)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	return path
}

func (b *bench) launch(access string) *launched { return b.launchWith(access) }

// launchWith starts a launcher that inherits files, which are closed here.
func (b *bench) launchWith(access string, files ...*os.File) *launched {
	b.Helper()
	l := &launched{bench: b, stdout: newBuffer(), stderr: newBuffer()}
	command := b.wrap
	if command == nil {
		command = []string{b.self}
	}
	l.cmd = exec.CommandContext(b.Context(), command[0], command[1:]...)
	l.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", role+"=launcher", step.AttemptEnv+"="+name, step.RunEnv+"="+run, step.AccessEnv+"="+access, step.WorkEnv+"="+b.work)
	l.cmd.Env = append(l.cmd.Env, b.env...)
	l.cmd.Stdout, l.cmd.Stderr = l.stdout, l.stderr
	l.cmd.ExtraFiles = files
	if err := l.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		_ = f.Close()
	}
	b.Cleanup(func() { _ = l.cmd.Process.Kill() })
	return l
}

// wait waits for the launcher's end and returns its exit code.
func (l *launched) wait() int {
	l.Helper()
	timer := time.AfterFunc(30*time.Second, func() { _ = l.cmd.Process.Kill() })
	_ = l.cmd.Wait()
	if !timer.Stop() {
		l.Fatalf("the launcher hangs; it said %q", l.stderr.String())
	}
	if ws := l.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return -int(ws.Signal())
	}
	return l.cmd.ProcessState.ExitCode()
}

func (l *launched) signal(s syscall.Signal) {
	l.Helper()
	if err := l.cmd.Process.Signal(s); err != nil {
		l.Fatal(err)
	}
}

// outcome reads the stored outcome, which must be there.
func (b *bench) outcome() step.Outcome {
	b.Helper()
	var o step.Outcome
	data, err := b.store.Get(b.Context(), step.OutcomeKey(run, name))
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		b.Fatal(err)
	}
	if o.Run != run || o.Name != name || o.Step != "trainer" || o.Attempt != 1 || o.Ended.Before(o.Started) || o.Started.IsZero() {
		b.Errorf("the outcome's head is wrong: %+v", o)
	}
	return o
}

func (b *bench) object(key string) (string, bool) {
	data, err := b.store.Get(b.Context(), key)
	return string(data), err == nil
}

// unclaim lets the attempt be run once more.
func (b *bench) unclaim() {
	b.Helper()
	if err := b.store.Delete(b.Context(), step.ClaimKey(run, name)); err != nil {
		b.Fatal(err)
	}
}

// noOutcome checks that nothing was stored.
func (b *bench) noOutcome() {
	b.Helper()
	if text, ok := b.object(step.OutcomeKey(run, name)); ok {
		b.Errorf("there is an outcome: %s", text)
	}
}

// finish runs an attempt to its end.
func (b *bench) finish(inv step.Invocation) (int, step.Outcome, *launched) {
	b.Helper()
	l := b.start(inv)
	code := l.wait()
	return code, b.outcome(), l
}

// eventually waits for a condition.
func (b *bench) eventually(what string, condition func() bool) {
	b.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			b.Fatalf("waited too long for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// buffer is a writer that can be waited on.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func newBuffer() *buffer { return &buffer{} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func (l *launched) awaitOutput(text string) {
	l.Helper()
	l.eventually("the output "+text, func() bool { return strings.Contains(l.stdout.String(), text) })
}

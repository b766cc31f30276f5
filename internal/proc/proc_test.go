package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is a writer that can be waited on for a text.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	wake chan struct{}
}

func newOutput() *output { return &output{wake: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.wake:
		case <-deadline:
			t.Fatalf("the output never held %q: %q", text, o.String())
		}
	}
}

func start(t *testing.T, out *output, script string) *Process {
	t.Helper()
	p, err := Start(Command{Args: []string{"sh", "-c", script}, Output: out, Orphans: true, DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		p.Wait()
	})
	return p
}

// prompt fails if f takes longer than something that hangs on a pipe or on a sleeping process would.
func prompt(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
}

func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestExitStatus(t *testing.T) {
	tests := map[string]struct {
		script string
		code   int
		signal syscall.Signal
	}{
		"success": {"exit 0", 0, 0},
		"code":    {"exit 37", 37, 0},
		"signal":  {"kill -SEGV $$", 128 + 11, syscall.SIGSEGV},
		"kill":    {"kill -KILL $$", 128 + 9, syscall.SIGKILL},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := start(t, newOutput(), tt.script).Wait()
			if got.Code != tt.code || got.Signal != tt.signal || got.Killed {
				t.Errorf("got %+v, want code %d, signal %v", got, tt.code, tt.signal)
			}
		})
	}
}

func TestOutputKeepsItsOrder(t *testing.T) {
	out := newOutput()
	start(t, out, "for i in 1 2 3; do echo out$i; echo err$i >&2; done").Wait()
	if got, want := out.String(), "out1\nerr1\nout2\nerr2\nout3\nerr3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSeparateStderr(t *testing.T) {
	out, stderr := newOutput(), newOutput()
	p, err := Start(Command{Args: []string{"sh", "-c", "echo a; echo b >&2"}, Output: out, Stderr: stderr})
	if err != nil {
		t.Fatal(err)
	}
	p.Wait()
	if out.String() != "a\n" || stderr.String() != "b\n" {
		t.Errorf("got %q and %q", out.String(), stderr.String())
	}
}

func TestStartErrors(t *testing.T) {
	if _, err := Start(Command{}); err == nil {
		t.Error("an empty command was started")
	}
	if _, err := Start(Command{Args: []string{"/does/not/exist"}, Output: newOutput()}); err == nil {
		t.Error("a missing program was started")
	}
	if _, err := Start(Command{Args: []string{"sh"}, Dir: "/does/not/exist", Output: newOutput()}); err == nil {
		t.Error("a program was started in a missing folder")
	}
}

func TestGrandchildHoldingThePipe(t *testing.T) {
	out := newOutput()
	p := start(t, out, "sleep 1000 & echo $!; exit 5")
	prompt(t, func() {
		if got := p.Wait(); got.Code != 5 {
			t.Errorf("got %+v", got)
		}
	})
	pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
	gone(t, pid)
}

func TestDaemonIsKilledToo(t *testing.T) {
	out := newOutput()
	file := filepath.Join(t.TempDir(), "pid")
	// The daemon leaves the group and the session, and its parent, so that it is an orphan.
	p := start(t, out, "setsid sh -c 'echo $$ > "+file+"; exec sleep 1000' & while ! [ -s "+file+" ]; do :; done; exit 0")
	prompt(t, func() { p.Wait() })
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	gone(t, pid)
}

func TestOrphansAreReapedWhileTheChildRuns(t *testing.T) {
	out := newOutput()
	// Each subshell leaves an orphan behind that ends at once; its pid must vanish though the child lives on.
	p := start(t, out, `trap 'exit 3' TERM; for i in 1 2 3 4 5; do (sh -c 'echo pid $$' &); done; echo all; while :; do sleep 1000 & wait; done`)
	out.await(t, "all\n")
	deadline := time.Now().Add(20 * time.Second)
	for strings.Count(out.String(), "pid") < 5 {
		if time.Now().After(deadline) {
			t.Fatal("the orphans never ran")
		}
		time.Sleep(time.Millisecond)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if text, ok := strings.CutPrefix(line, "pid "); ok {
			pid, _ := strconv.Atoi(text)
			gone(t, pid)
		}
	}
	p.Stop(time.Minute)
	if got := p.Wait(); got.Code != 3 || got.Killed {
		t.Errorf("got %+v, want the child's own exit code", got)
	}
}

func TestStopReachesTheGroup(t *testing.T) {
	out := newOutput()
	p := start(t, out, `(trap 'echo grandchild; exit 0' TERM; echo ready1; while :; do sleep 1000 & wait; done) &
		trap 'wait; echo child; exit 7' TERM; echo ready2; wait; exit 1`)
	out.await(t, "ready1\n")
	out.await(t, "ready2\n")
	p.Stop(time.Minute)
	prompt(t, func() {
		if got := p.Wait(); got.Code != 7 || got.Signal != 0 || got.Killed {
			t.Errorf("got %+v", got)
		}
	})
	if !strings.Contains(out.String(), "grandchild\n") {
		t.Errorf("the grandchild got no signal: %q", out.String())
	}
}

func TestStopKillsAfterTheGrace(t *testing.T) {
	out := newOutput()
	p := start(t, out, `trap '' TERM; echo ready; while :; do sleep 1000; done`)
	out.await(t, "ready\n")
	p.Stop(10 * time.Millisecond)
	prompt(t, func() {
		if got := p.Wait(); got.Signal != syscall.SIGKILL || !got.Killed {
			t.Errorf("got %+v", got)
		}
	})
	p.Kill()
	p.Stop(0)
}

func TestUsage(t *testing.T) {
	got := start(t, newOutput(), "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done").Wait()
	if got.CPU <= 0 || got.PeakRSS < 1<<19 || got.Wall <= 0 {
		t.Errorf("got %+v", got)
	}
}

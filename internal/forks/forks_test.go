//go:build linux

package forks_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/internal/proc"
)

const steps = `
import os, sys, time
from proa import step

print("importing in", os.getpid(), flush=True)

@step
def hello() -> None:
    print("hello from", os.getppid(), "at", os.environ["TMPDIR"], flush=True)

@step
def waits() -> None:
    print("ready", flush=True)
    while True: # a signal between Python's look for one and its sleep would wait for the sleep's end
        time.sleep(0.01)

@step
def ignores() -> None:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(1000)
`

// project is a folder with a module of steps.
type project struct {
	*testing.T
	dir, python string
}

func newProject(t *testing.T, module string) project {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("these tests fork a real Python: %v", err)
	}
	p := project{t, t.TempDir(), python}
	if err := os.WriteFile(filepath.Join(p.dir, "run.py"), []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// order makes the order for a step.
func (p project) order(name string) forks.Order {
	p.Helper()
	work := p.TempDir()
	request, err := json.Marshal(map[string]any{
		"apiVersion": "proa/v1", "run": "r", "runName": "r", "pipeline": "p", "step": name, "attempt": 1,
		"source": "run:" + name, "result": filepath.Join(work, "result.json"), "temp": work,
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(work, "request.json"), request, 0o600)
	}
	sdk, err2 := filepath.Abs("../../python")
	if err := errors.Join(err, err2); err != nil {
		p.Fatal(err)
	}
	return forks.Order{
		Path: p.python, Args: []string{"python", "-m", "proa.runner"}, Dir: p.dir, Source: "run:" + name,
		Env: map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "PYTHONPATH": sdk, "PYTHONDONTWRITEBYTECODE": "1"},
		Own: map[string]string{"TMPDIR": work, "PROA_REQUEST": filepath.Join(work, "request.json")},
	}
}

// text collects output.
type text struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.data.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.data.String()
}

func (x *text) await(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(x.String(), want); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q never came, but %q", want, x)
		}
	}
}

func start(t *testing.T, f forks.Forker, o forks.Order) (*proc.Process, *text) {
	t.Helper()
	out := new(text)
	p, err := f.Fork(o, out)
	if err != nil {
		t.Fatal(err)
	}
	return p, out
}

func server(t *testing.T, most int) *forks.Server {
	t.Helper()
	s := forks.NewServer(t.TempDir(), most)
	t.Cleanup(s.Close)
	return s
}

// importer returns the number of the process that has imported the module, from a step's output.
func importer(t *testing.T, out string) int {
	t.Helper()
	line, _, _ := strings.Cut(strings.TrimPrefix(out, "importing in "), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("no importer in %q", out)
	}
	return pid
}

func TestStepsShareAnImport(t *testing.T) {
	p := newProject(t, steps)
	s := server(t, 2)
	socket, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	var seen []int
	for _, f := range []forks.Forker{s, forks.NewClient(socket), s} {
		o := p.order("hello")
		process, out := start(t, f, o)
		exit := process.Wait()
		if process.Refused() != nil || exit.Code != 0 || exit.PeakRSS < 1<<20 || exit.Wall <= 0 {
			t.Fatalf("it ended with %+v, refused: %v, output %q", exit, process.Refused(), out)
		}
		if !strings.Contains(out.String(), "at "+o.Own["TMPDIR"]+"\n") {
			t.Errorf("its output is %q", out)
		}
		seen = append(seen, importer(t, out.String()))
	}
	if seen[0] != seen[1] || seen[1] != seen[2] {
		t.Errorf("the module was imported by %v", seen)
	}
	// Another environment is another import, and of a dead process somebody else takes the place.
	other := p.order("hello")
	other.Env["MORE"] = "x"
	process, out := start(t, s, other)
	process.Wait()
	if importer(t, out.String()) == seen[0] {
		t.Error("two environments shared an import")
	}
	if err := syscall.Kill(seen[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(seen[0], 0) == nil && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	process, out = start(t, s, p.order("hello"))
	if exit := process.Wait(); exit.Code != 0 || importer(t, out.String()) == seen[0] {
		t.Errorf("after the death of what it is forked from: %+v, %q", exit, out)
	}
}

func TestEndings(t *testing.T) {
	p := newProject(t, steps)
	s := server(t, 1)
	process, out := start(t, s, p.order("waits"))
	out.await(t, "ready")
	process.Stop(time.Minute)
	if exit := process.Wait(); exit.Signal != syscall.SIGTERM || exit.Code != 143 || exit.Killed {
		t.Errorf("asked to end: %+v", exit)
	}
	process, out = start(t, s, p.order("ignores"))
	out.await(t, "ready")
	process.Stop(50 * time.Millisecond)
	if exit := process.Wait(); exit.Signal != syscall.SIGKILL || exit.Code != 137 || !exit.Killed {
		t.Errorf("made to end: %+v", exit)
	}
	if process.Signal(syscall.SIGTERM) != nil {
		t.Error("a signal to what has ended is an error")
	}
}

func TestAnEndDoesNotWaitForTheImport(t *testing.T) {
	p := newProject(t, "import time\ntime.sleep(1000)\n"+steps)
	s := server(t, 1)
	process, _ := start(t, s, p.order("hello"))
	process.Stop(time.Minute)
	if exit := process.Wait(); exit.Signal != syscall.SIGTERM || process.Refused() != nil {
		t.Errorf("got %+v, refused: %v", exit, process.Refused())
	}
}

func TestRefusals(t *testing.T) {
	for _, module := range []string{
		"raise ValueError('no luck')\n",
		"import os\nos._exit(3)\n",
		"import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n" + steps,
	} {
		p := newProject(t, module)
		s := server(t, 1)
		for range 3 {
			process, err := s.Fork(p.order("hello"), new(text))
			if err != nil {
				continue // what dies again and again isn't started any more
			}
			if exit := process.Wait(); !errors.Is(process.Refused(), proc.ErrRefused) {
				t.Errorf("%s: got %+v", module, exit)
			}
		}
	}
}

func TestRoomIsMade(t *testing.T) {
	p := newProject(t, steps)
	s := server(t, 1)
	process, out := start(t, s, p.order("waits"))
	out.await(t, "ready")
	other := p.order("hello")
	other.Env["MORE"] = "x"
	second, _ := start(t, s, other)
	if exit := second.Wait(); exit.Code != 0 {
		t.Errorf("the second: %+v", exit)
	}
	if err := syscall.Kill(importer(t, out.String()), 0); err == nil {
		t.Error("there are two processes to fork from")
	}
	// What was forked goes on.
	process.Stop(time.Minute)
	if exit := process.Wait(); exit.Signal != syscall.SIGTERM {
		t.Errorf("the first: %+v", exit)
	}
}

func TestForks(t *testing.T) {
	for command, want := range map[string]bool{
		"python -m proa.runner": true, "/usr/bin/python3 -X dev -m proa.runner": true,
		"proa.runner": false, "python -m other": false, "": false,
	} {
		if got := forks.Forks(strings.Fields(command)); got != want {
			t.Errorf("%q: %v", command, got)
		}
	}
}

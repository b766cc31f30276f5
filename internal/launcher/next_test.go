package launcher_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/proa-ml/proa/step"
)

// pod is a coordinator of one warm pod: it hands out attempts in turn.
type pod struct {
	*bench
	mu       sync.Mutex
	order    []string
	asked    []string
	outcomes map[string]step.Outcome
	more     map[string]bool
	away     int
	idle     chan struct{}
}

func newPod(b *bench, order ...string) *pod {
	b.Helper()
	p := &pod{bench: b, order: order, outcomes: map[string]step.Outcome{}, more: map[string]bool{}, idle: make(chan struct{}, 1)}
	c := newCoordinator(b)
	c.handle = p.handle
	b.env = append(b.env, step.PodEnv+"="+name)
	return p
}

// attempt stores another attempt's invocation.
func (p *pod) attempt(other string, actions ...string) {
	p.Helper()
	inv := p.invocation(actions...)
	inv.Name = other
	data, err := json.Marshal(inv)
	if err == nil {
		err = p.store.Put(p.Context(), step.InvocationKey(run, other), data)
	}
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pod) handle(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if len(parts) != 3 || r.Header.Get("Authorization") != "Bearer "+step.Token([]byte("the run's key"), parts[1]) {
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
	switch parts[0] + " " + parts[2] {
	case "attempts outcome":
		var o step.Outcome
		data, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(data, &o)
		p.outcomes[parts[1]], p.more[parts[1]] = o, r.URL.Query().Has("more")
	case "pods next":
		p.next(w, r)
	}
	return false
}

func (p *pod) next(w http.ResponseWriter, r *http.Request) {
	p.asked = append(p.asked, r.URL.Query().Get("after"))
	switch {
	case p.away > 0:
		p.away--
		w.WriteHeader(http.StatusServiceUnavailable)
	case len(p.order) == 0:
		w.WriteHeader(http.StatusGone)
	case p.order[0] == "":
		p.order = p.order[1:]
		w.WriteHeader(http.StatusNoContent)
	case p.order[0] == "wait":
		p.idle <- struct{}{}
		p.mu.Unlock()
		<-r.Context().Done()
		p.mu.Lock()
	default:
		_ = json.NewEncoder(w).Encode(step.Next{Attempt: p.order[0]})
		p.order = p.order[1:]
	}
}

func TestOneAttemptAfterTheOther(t *testing.T) {
	b := newBench(t)
	p := newPod(b, "", "second", "third", "never")
	p.away = 2 // a coordinator that is started again
	p.attempt("second", "print:the second")
	p.attempt("third", "exit:3")
	l := b.start(b.invocation("print:the first"))
	if code := l.wait(); code != 3 {
		t.Errorf("exit code %d, said %q", code, l.stderr.String())
	}
	if strings.Join(p.asked, " ") != strings.Join([]string{name, name, name, name, "second"}, " ") {
		t.Errorf("it asked for what comes after %v", p.asked)
	}
	for attempt, want := range map[string]step.Status{name: step.Succeeded, "second": step.Succeeded, "third": step.Failed} {
		o := p.outcomes[attempt]
		if o.Status != want || o.Name != attempt || p.more[attempt] != (want == step.Succeeded) {
			t.Errorf("%s: told %+v, wants more: %v", attempt, o, p.more[attempt])
		}
		if _, ok := b.object(step.OutcomeKey(run, attempt)); !ok {
			t.Errorf("%s: no outcome was stored", attempt)
		}
	}
	if log, _ := b.object(step.LogKey(run, "second")); log != "the second\n" {
		t.Errorf("the second's log is %q", log)
	}
	if left, _ := os.ReadDir(b.work); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// What is in the folders that are the pod's alone is gone after an attempt; what is beside them stays.
func TestScratchIsClearedAfterAnAttempt(t *testing.T) {
	b := newBench(t)
	newPod(b)
	scratch, beside := t.TempDir(), t.TempDir()
	b.env = append(b.env, step.ScratchEnv+"="+b.work+":"+scratch)
	for _, folder := range []string{scratch, beside} {
		if err := os.MkdirAll(filepath.Join(folder, "left", "below"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(folder, "left"), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	l := b.start(b.invocation("print:the first"))
	if code := l.wait(); code != 0 {
		t.Errorf("exit code %d, said %q", code, l.stderr.String())
	}
	if left, _ := os.ReadDir(scratch); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	if _, err := os.Stat(filepath.Join(beside, "left", "below")); err != nil {
		t.Error(err)
	}
}

func TestAnIdlePodEndsWhenItIsTold(t *testing.T) {
	b := newBench(t)
	p := newPod(b, "wait")
	l := b.start(b.invocation("print:the first"))
	<-p.idle
	l.signal(syscall.SIGTERM)
	if code := l.wait(); code != 0 || b.outcome().Status != step.Succeeded {
		t.Errorf("exit code %d, outcome %+v", code, b.outcome())
	}
}

// What is told to end while it runs the second attempt ends that one, and tells it.
func TestASignalEndsTheAttemptThatRuns(t *testing.T) {
	b := newBench(t)
	p := newPod(b, "second")
	p.attempt("second", "print:it is the second's turn", "block")
	l := b.start(b.invocation("print:the first"))
	l.awaitOutput("turn")
	l.awaitOutput("ready")
	l.signal(syscall.SIGTERM)
	l.wait()
	if p.outcomes[name].Status != step.Succeeded || p.outcomes["second"].Status != step.Cancelled {
		t.Errorf("told %+v", p.outcomes)
	}
}

func TestForkedInAPod(t *testing.T) {
	b := newBench(t)
	p := newPod(b, "second")
	sdk, err := filepath.Abs("../../python")
	if err != nil {
		t.Fatal(err)
	}
	code := `
import os
from proa import step

print("imported in", os.getpid())
left = []

@step
def one() -> None:
    print("left", left, os.listdir(os.environ["TMPDIR"]))
    left.append(1)
    open(os.path.join(os.environ["TMPDIR"], "left"), "w").close()
`
	if err := os.WriteFile(filepath.Join(b.work, "user.py"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := b.work
	b.work = t.TempDir()
	inv := b.invocation()
	inv.Command, inv.Dir, inv.Source = []string{"python3", "-m", "proa.runner"}, dir, "user:one"
	inv.Env = map[string]string{"PYTHONPATH": sdk, "PYTHONDONTWRITEBYTECODE": "1"}
	second := inv
	second.Name = "second"
	data, err := json.Marshal(second)
	if err == nil {
		err = b.store.Put(t.Context(), step.InvocationKey(run, "second"), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := b.start(inv)
	if code := l.wait(); code != 0 || p.outcomes["second"].Status != step.Succeeded || p.outcomes["second"].Usage.PeakRSS == 0 {
		t.Fatalf("exit code %d, outcomes %+v, said %q %q", code, p.outcomes, l.stdout.String(), l.stderr.String())
	}
	first, _ := b.object(step.LogKey(run, name))
	again, _ := b.object(step.LogKey(run, "second"))
	if first != again || !strings.HasSuffix(first, "left [] []\n") {
		t.Errorf("the logs of two steps that share an import and nothing else: %q, %q", first, again)
	}
}

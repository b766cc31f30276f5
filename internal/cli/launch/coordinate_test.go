package launch

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	orchestratordriver "github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/stack"
)

// inPod opens what a coordinator's pod has.
type inPod struct {
	flavor.Opener
	store driver.Store
	in    flavor.Coordinator
}

func (p inPod) Coordinator() (flavor.Coordinator, error) { return p.in, nil }

func (p inPod) Metadata(context.Context, stack.Resolved) (driver.Store, error) { return p.store, nil }

// idle is an orchestrator that has nothing to do. It knows how the coordinator before ended.
type idle struct {
	orchestratordriver.Orchestrator
}

func (idle) Watch(ctx context.Context, _ string, _ []string, _ orchestratordriver.Events) error {
	<-ctx.Done()
	return ctx.Err()
}

func (idle) Former(_ context.Context, samePlace bool) string {
	if samePlace {
		return "it was killed"
	}
	return "its pod was deleted"
}

func (idle) Close() error { return nil }

// lines can be read while it is written.
type lines struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.String()
}

// pod makes a run of no steps, which "other" drives, and the pod of another coordinator of it.
func pod(t *testing.T) (p inPod, k *kit.Kit, out *lines) {
	t.Helper()
	p = inPod{store: memory.New()}
	r, err := run.Create(t.Context(), p.store, driver.Run{Pipeline: "p", Spec: []byte("{}"), Plan: []byte(`{"pipeline":"p"}`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.store.Acquire(t.Context(), r.ID, "other", time.Now(), time.Hour, false); err != nil {
		t.Fatal(err)
	}
	p.in = flavor.Coordinator{
		Run: r.ID, Holder: "own", LastWords: filepath.Join(t.TempDir(), "words"), Config: []byte(`{"store":{"url":"mem://"}}`),
		Open: func(context.Context) (orchestratordriver.Orchestrator, error) { return idle{}, nil },
	}
	out = &lines{}
	return p, &kit.Kit{Streams: kit.Streams{Out: out}, Now: time.Now, Rand: rand.Reader, Opener: p, TrustRoots: func() {}}, out
}

// The first process of a pod takes the run: it was made because the one before is no more, or not to be reached.
func TestNewCoordinatorTakesTheRun(t *testing.T) {
	p, k, _ := pod(t)
	if err := coordinate(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if r, err := p.store.Run(t.Context(), p.in.Run); err != nil || r.Status != string(run.Succeeded) {
		t.Errorf("the run is %s (%v)", r.Status, err)
	}
}

// One that is started again in its pod may be the one that was replaced: two would take the run from each other for ever.
func TestRestartedCoordinatorDoesNotTakeTheRunBack(t *testing.T) {
	p, k, out := pod(t)
	if err := os.WriteFile(p.in.LastWords, []byte("run was taken over by another coordinator\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- coordinate(t.Context(), k) }()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(out.String(), "is driven by other"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it said %q", out.String())
		}
	}
	lease, err := p.store.Acquire(t.Context(), p.in.Run, "other", time.Now(), 0, false) // it has waited long enough
	if err != nil || lease.Epoch != 1 {
		t.Fatalf("the lease is %+v (%v)", lease, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if r, err := p.store.Run(t.Context(), p.in.Run); err != nil || r.Status != string(run.Succeeded) {
		t.Errorf("the run is %s (%v)", r.Status, err)
	}
}

// What became of the one before is recorded, whether it could say so itself or not.
func TestTakeoverIsRecorded(t *testing.T) {
	for words, want := range map[string]string{"": "its pod was deleted", "\n": "it was killed", "panic: on fire\n\ngoroutine 1": "panic: on fire"} {
		p, k, _ := pod(t)
		if words != "" {
			if err := os.WriteFile(p.in.LastWords, []byte(words), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		lease, err := p.store.Acquire(t.Context(), p.in.Run, "other", time.Now(), 0, false)
		if err != nil {
			t.Fatal(err)
		}
		started := driver.Event{Seq: 1, Time: time.Now(), Kind: run.RunStarted{}.Kind(), Data: []byte(`{"mode":"stop-on-failure","holder":"other"}`)}
		if err := p.store.Commit(t.Context(), driver.Commit{Lease: lease, Events: []driver.Event{started}}); err != nil {
			t.Fatal(err)
		}
		if err := coordinate(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		events, err := p.store.Events(t.Context(), p.in.Run, 1)
		if err != nil || len(events) == 0 {
			t.Fatalf("events %v (%v)", events, err)
		}
		e, err := run.Decode(events[0])
		if err != nil {
			t.Fatal(err)
		}
		if resumed, ok := e.Event.(run.RunResumed); !ok || !strings.HasPrefix(resumed.Before, want) {
			t.Errorf("recorded %+v, want it to tell %q", e.Event, want)
		}
	}
}

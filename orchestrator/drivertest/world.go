package drivertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// world is one test's run, with the orchestrator that runs it and a watch that writes down what happens.
type world struct {
	*testing.T
	Harness
	run  string
	orch driver.Orchestrator
	seen *seen
}

func newWorld(t *testing.T, h Harness) *world {
	w := &world{T: t, Harness: h, run: strings.ToLower(rand.Text()[:16])}
	w.open()
	return w
}

// open opens an orchestrator for the run and closes it with the test.
func (w *world) open() {
	w.Helper()
	w.orch = w.Open(w.T, w.run)
	w.Cleanup(func() {
		if err := w.orch.Close(); err != nil {
			w.Errorf("closing: %v", err)
		}
	})
}

// attempt makes an attempt whose runner does the actions.
type attempt struct {
	step    string
	actions []string
	inputs  map[string]step.Artifact
	outputs []string
	timeout time.Duration
	grace   time.Duration
}

// prepare stores an attempt's invocation.
func (w *world) prepare(a attempt) driver.Attempt {
	w.Helper()
	if a.grace == 0 {
		a.grace = time.Minute
	}
	d := driver.Attempt{
		Run: w.run, RunName: "run " + w.run, Pipeline: "conformance", Step: a.step, Number: 1,
		Name: orchestrator.AttemptName("conformance", w.run, a.step, 1), Image: w.Image, Timeout: a.timeout, Grace: a.grace,
	}
	inv := step.Invocation{
		APIVersion: spec.APIVersion, Run: d.Run, RunName: d.RunName, Pipeline: d.Pipeline, Step: d.Step, Attempt: d.Number, Name: d.Name,
		Command: append(w.Command[:len(w.Command):len(w.Command)], a.actions...), Dir: w.Dir, Env: w.Env,
		Source: "script:step", Inputs: a.inputs, Timeout: a.timeout, Grace: a.grace,
	}
	for _, o := range a.outputs {
		inv.Outputs = append(inv.Outputs, spec.Output{Name: o})
	}
	data, err := json.Marshal(inv)
	if err == nil {
		err = w.Store.Put(w.Context(), step.InvocationKey(d.Run, d.Name), data)
	}
	if err != nil {
		w.Fatalf("storing the invocation: %v", err)
	}
	return d
}

// start prepares and starts an attempt.
func (w *world) start(a attempt) driver.Attempt {
	w.Helper()
	d := w.prepare(a)
	w.startPrepared(d)
	return d
}

func (w *world) startPrepared(d driver.Attempt) {
	w.Helper()
	if err := w.orch.Start(w.Context(), d); err != nil && !errors.Is(err, orchestrator.ErrQueued) {
		w.Fatalf("starting %s: %v", d.Name, err)
	}
}

// outcome reads the stored outcome of an attempt; nil if there is none.
func (w *world) outcome(d driver.Attempt) *step.Outcome {
	w.Helper()
	data, err := w.Store.Get(w.Context(), step.OutcomeKey(d.Run, d.Name))
	if err != nil {
		return nil
	}
	var o step.Outcome
	if err := json.Unmarshal(data, &o); err != nil {
		w.Fatalf("the stored outcome: %v", err)
	}
	return &o
}

// finished waits for an attempt's end and returns its outcome, which must be stored by then.
func (w *world) finished(d driver.Attempt) (driver.Status, step.Outcome) {
	w.Helper()
	status := w.seen.await(w, d.Name, driver.Ended)
	o := w.outcome(d)
	if o == nil {
		w.Fatalf("%s ended without an outcome: %s", d.Name, describe(status))
	}
	if status.Outcome != nil && (status.Outcome.Status != o.Status || !status.Outcome.Ended.Equal(o.Ended)) {
		w.Errorf("%s reported the outcome %+v, but stored is %+v", d.Name, *status.Outcome, *o)
	}
	return status, *o
}

func describe(s driver.Status) string {
	if s.Failure == nil {
		return fmt.Sprintf("%s, exit code %d, no failure", s.Phase, s.ExitCode)
	}
	return fmt.Sprintf("%s, exit code %d, %s: %s", s.Phase, s.ExitCode, s.Failure.Kind, s.Failure.Message)
}

// watch begins a watch; it ends with the test, or by the function that is returned.
func (w *world) watch(known ...string) (stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	s := &seen{statuses: map[string][]driver.Status{}, logs: map[string][]chunk{}, news: make(chan struct{})}
	done := make(chan error, 1)
	orch := w.orch
	go func() { done <- orch.Watch(ctx, w.run, known, s) }()
	w.seen = s
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				w.Errorf("the watch ended with %v", err)
			}
		})
	}
	w.Cleanup(stop)
	return stop
}

// seen is what a watch told.
type seen struct {
	mu       sync.Mutex
	statuses map[string][]driver.Status
	logs     map[string][]chunk
	news     chan struct{}
}

type chunk struct {
	offset int64
	data   string
}

func (s *seen) changed() {
	close(s.news)
	s.news = make(chan struct{})
}

// Status implements driver.Events.
func (s *seen) Status(status driver.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status.Attempt] = append(s.statuses[status.Attempt], status)
	s.changed()
}

// Log implements driver.Events.
func (s *seen) Log(name string, offset int64, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs[name] = append(s.logs[name], chunk{offset, string(data)})
	s.changed()
}

// until waits for a condition, which is asked under the lock whenever something was told.
func (s *seen) until(w *world, what string, condition func() bool) {
	w.Helper()
	timer := time.NewTimer(w.Patience)
	defer timer.Stop()
	for {
		s.mu.Lock()
		ok, news := condition(), s.news
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-timer.C:
			w.Fatalf("waited %v for %s; statuses: %v", w.Patience, what, s.all())
		}
	}
}

func (s *seen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for name, statuses := range s.statuses {
		for _, status := range statuses {
			_, _ = fmt.Fprintf(&b, "\n%s: %s %s", name, describe(status), status.Reason)
		}
	}
	return b.String()
}

// await waits until an attempt is in a phase, or in a later one if that is not the end.
func (s *seen) await(w *world, name string, phase driver.Phase) (found driver.Status) {
	w.Helper()
	s.until(w, name+" to be "+string(phase), func() bool {
		for _, status := range s.statuses[name] {
			if status.Phase == phase {
				found = status
				return true
			}
		}
		return false
	})
	return found
}

// awaitLog waits until an attempt's live log holds a text.
func (s *seen) awaitLog(w *world, name, text string) {
	w.Helper()
	s.until(w, fmt.Sprintf("%s to write %q", name, text), func() bool {
		var b strings.Builder
		for _, c := range s.logs[name] {
			b.WriteString(c.data)
		}
		return strings.Contains(b.String(), text)
	})
}

// checkOrder checks that no attempt ever went back to an earlier phase.
func (s *seen) checkOrder(w *world) {
	w.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	rank := map[driver.Phase]int{driver.Pending: 1, driver.Running: 2, driver.Ended: 3}
	for name, statuses := range s.statuses {
		latest := 0
		for _, status := range statuses {
			if rank[status.Phase] < max(latest, 1) {
				w.Errorf("%s went back to %q", name, status.Phase)
			}
			latest = rank[status.Phase]
		}
	}
}

package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// lab is a place to execute runs in: stores in memory, and an orchestrator whose attempts are functions. Its clock is the
// test bubble's.
type lab struct {
	t        *testing.T
	metadata *metadata
	store    *objects
	orch     *scripted
	run      mdriver.Run
	seen     *seen
}

// newLab makes a lab with one run of the given steps.
func newLab(t *testing.T, steps ...plan.Step) *lab {
	l := &lab{
		t: t, metadata: &metadata{Store: memory.New()}, store: &objects{data: map[string][]byte{}},
		orch: &scripted{running: map[string]*scriptedAttempt{}, code: map[string]code{}, starts: map[string]int{}}, seen: &seen{},
	}
	l.orch.store = l.store
	t.Cleanup(func() { l.orch.wait.Wait() })
	l.create(steps...)
	return l
}

// create adds another run, which execute then drives.
func (l *lab) create(steps ...plan.Step) {
	l.t.Helper()
	data, err := json.Marshal(plan.Plan{Pipeline: "lab", Steps: steps})
	if err != nil {
		l.t.Fatal(err)
	}
	l.run, err = run.Create(l.t.Context(), l.metadata, mdriver.Run{Pipeline: "lab", Spec: []byte("{}"), Plan: data}, nil)
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) components() run.Components {
	return run.Components{Artifacts: l.store, Metadata: l.metadata, Orchestrator: l.orch}
}

// execute drives the lab's run and holds that nothing is left of its attempts.
func (l *lab) execute(opts run.Options) run.Result {
	l.t.Helper()
	opts.Observer = l.seen
	result, err := run.Execute(l.t.Context(), l.components(), l.run.ID, &opts)
	if err != nil {
		l.t.Fatal(err)
	}
	if left := l.orch.left(); len(left) > 0 {
		l.t.Errorf("attempts left behind: %v", left)
	}
	return result
}

// statuses gives the status of each step.
func statuses(r run.Result) map[string]string {
	all := map[string]string{}
	for _, st := range r.Steps {
		all[st.Name] = st.Status
	}
	return all
}

// seen keeps what an observer is told.
type seen struct {
	mu      sync.Mutex
	events  []run.Recorded
	logs    map[string]string
	notices []string
}

func (s *seen) Event(r run.Recorded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, r)
}

func (s *seen) Log(step string, attempt int, offset int64, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logs == nil {
		s.logs = map[string]string{}
	}
	s.logs[fmt.Sprintf("%s/%d@%d", step, attempt, offset)] += string(data)
}

func (s *seen) Notice(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices = append(s.notices, text)
}

// metadata is a store that can be away.
type metadata struct {
	mdriver.Store
	mu   sync.Mutex
	away bool
}

func (m *metadata) set(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *metadata) check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return fmt.Errorf("connection refused: %w", mdriver.ErrUnavailable)
	}
	return nil
}

func (m *metadata) Commit(ctx context.Context, c mdriver.Commit) error {
	if err := m.check(); err != nil {
		return err
	}
	return m.Store.Commit(ctx, c)
}

func (m *metadata) Acquire(ctx context.Context, id, holder string, now time.Time, ttl time.Duration, force bool) (mdriver.Lease, error) {
	if err := m.check(); err != nil {
		return mdriver.Lease{}, err
	}
	return m.Store.Acquire(ctx, id, holder, now, ttl, force)
}

// objects is an artifact store in memory. A digest exists if there is an object of that key.
type objects struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (o *objects) Put(_ context.Context, key string, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data[key] = data
	return nil
}

func (o *objects) Get(_ context.Context, key string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if data, ok := o.data[key]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", key, artifact.ErrNotFound)
}

func (o *objects) Reader(ctx context.Context, key string) (io.ReadCloser, error) {
	data, err := o.Get(ctx, key)
	return io.NopCloser(bytes.NewReader(data)), err
}

func (o *objects) Exists(ctx context.Context, digest string) (bool, error) {
	_, err := o.Get(ctx, digest)
	return err == nil, nil
}

func (o *objects) Manifest(ctx context.Context, digest string) (m step.Manifest, err error) {
	data, err := o.Get(ctx, digest)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	return m, err
}

// code is what a step does: it may write to its log, and returns an outcome of which run, step and the like are filled in. A
// nil outcome is an end in silence. The context ends when the attempt is stopped.
type code func(ctx context.Context, in step.Invocation, log func(string)) *step.Outcome

// scripted runs attempts as functions.
type scripted struct {
	mu      sync.Mutex
	store   *objects
	code    map[string]code
	starts  map[string]int
	running map[string]*scriptedAttempt
	watcher driver.Events
	// channel says that outcomes and logs are told; otherwise they have to be fetched.
	channel bool
	// refuse, if not nil, is what Start returns; broken ends a watch when something is received.
	refuse error
	broken chan error
	wait   sync.WaitGroup
}

type scriptedAttempt struct {
	status driver.Status
	stop   context.CancelFunc
}

var _ driver.Orchestrator = (*scripted)(nil)

func (o *scripted) Start(_ context.Context, a driver.Attempt) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refuse != nil {
		return o.refuse
	}
	if o.running[a.Name] != nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	o.starts[a.Step]++
	o.running[a.Name] = &scriptedAttempt{status: driver.Status{Attempt: a.Name, Phase: driver.Pending, Reason: "starting"}, stop: stop}
	o.wait.Go(func() {
		defer stop()
		time.Sleep(time.Second)
		o.report(driver.Status{Attempt: a.Name, Phase: driver.Running})
		o.end(a, o.do(ctx, a))
	})
	return nil
}

// do runs an attempt's code, and stores its log and outcome as a launcher does.
func (o *scripted) do(ctx context.Context, a driver.Attempt) *step.Outcome {
	data, err := o.store.Get(ctx, step.InvocationKey(a.Run, a.Name))
	var in step.Invocation
	if err = errors.Join(err, json.Unmarshal(data, &in)); err != nil {
		return nil
	}
	var log []byte
	out := o.code[a.Step](ctx, in, func(text string) {
		o.mu.Lock()
		watcher := o.watcher
		o.mu.Unlock()
		if o.channel && watcher != nil {
			watcher.Log(a.Name, int64(len(log)), []byte(text))
		}
		log = append(log, text...)
	})
	if out == nil {
		return nil
	}
	out.Run, out.Step, out.Attempt, out.Name = a.Run, a.Step, a.Number, a.Name
	if len(log) > 0 {
		out.Log = step.LogKey(a.Run, a.Name)
		_ = o.store.Put(ctx, out.Log, log)
	}
	stored, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	_ = o.store.Put(ctx, step.OutcomeKey(a.Run, a.Name), stored)
	return out
}

func (o *scripted) end(a driver.Attempt, out *step.Outcome) {
	s := driver.Status{Attempt: a.Name, Phase: driver.Ended, Failure: &step.Failure{Kind: step.FailureLost, Message: "no trace"}}
	if o.channel {
		s.Outcome = out
	}
	o.report(s)
}

func (o *scripted) report(s driver.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a := o.running[s.Attempt]; a != nil {
		a.status = s
		if o.watcher != nil {
			o.watcher.Status(s)
		}
	}
}

func (o *scripted) Watch(ctx context.Context, _ string, known []string, events driver.Events) error {
	o.mu.Lock()
	o.watcher = events
	for _, name := range slices.Sorted(maps.Keys(o.running)) {
		events.Status(o.running[name].status)
	}
	for _, name := range known {
		if o.running[name] == nil {
			events.Status(driver.Status{Attempt: name, Phase: driver.Ended})
		}
	}
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.watcher = nil
		o.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-o.broken:
		return err
	}
}

func (o *scripted) Stop(_ context.Context, attempt string, _ time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a := o.running[attempt]; a != nil {
		a.stop()
	}
	return nil
}

func (o *scripted) Remove(_ context.Context, attempt string, _ bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.running, attempt)
	return nil
}

func (o *scripted) Close() error { return nil }

func (o *scripted) left() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.running))
}

var errAway = fmt.Errorf("no route to host: %w", orchestrator.ErrUnavailable)

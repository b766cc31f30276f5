package run_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// BenchmarkSteps measures what the engine itself costs per step: the stores are in memory, and attempts end at once.
func BenchmarkSteps(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		for name, needs := range map[string]func(i int) int{"chain": func(i int) int { return i - 1 }, "fan": func(int) int { return 0 }} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					executeSteps(b, memory.New(), n, needs)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/step")
			})
		}
	}
}

// executeSteps executes a run of trivial steps, each of which but the first needs another one.
func executeSteps(tb testing.TB, store mdriver.Store, n int, needs func(i int) int) {
	tb.Helper()
	p := plan.Plan{Pipeline: "bench"}
	for i := range n {
		st := plan.Step{Name: "s" + strconv.Itoa(i), Outputs: []spec.Output{{Name: "out"}}}
		if i > 0 {
			need := "s" + strconv.Itoa(needs(i))
			st.Needs, st.Inputs = []string{need}, map[string]spec.Input{"in": {Step: need, Output: "out"}}
		}
		p.Steps = append(p.Steps, st)
	}
	data, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := run.Create(tb.Context(), store, mdriver.Run{Pipeline: "bench", Spec: []byte("{}"), Plan: data}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := run.Components{Artifacts: &objects{data: map[string][]byte{}}, Metadata: store, Orchestrator: &instant{watching: make(chan struct{})}}
	result, err := run.Execute(tb.Context(), c, r.ID, nil)
	if err != nil || result.Status != run.Succeeded {
		tb.Fatalf("the run %s: %v", result.Status, err)
	}
}

// instant is an orchestrator whose attempts have succeeded when Start returns.
type instant struct {
	once     sync.Once
	watching chan struct{}
	events   driver.Events
}

func (o *instant) Start(_ context.Context, a driver.Attempt) error {
	<-o.watching
	out := &step.Outcome{
		Run: a.Run, Step: a.Step, Attempt: a.Number, Name: a.Name, Status: step.Succeeded,
		Outputs: map[string]step.Artifact{"out": {Digest: "sha256:" + a.Step, Type: "int"}},
	}
	o.events.Status(driver.Status{Attempt: a.Name, Phase: driver.Running})
	o.events.Status(driver.Status{Attempt: a.Name, Phase: driver.Ended, Outcome: out})
	return nil
}

func (o *instant) Watch(ctx context.Context, _ string, _ []string, events driver.Events) error {
	o.once.Do(func() {
		o.events = events
		close(o.watching)
	})
	<-ctx.Done()
	return ctx.Err()
}

func (*instant) Stop(context.Context, string, time.Duration) error { return nil }
func (*instant) Remove(context.Context, string, bool) error        { return nil }
func (*instant) Close() error                                      { return nil }

package run

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// scenario is one schedule.
type scenario struct {
	*world
	store *memory.Store
	run   mdriver.Run
	mode  Mode
	// parallelism and deadline are the run's limits, 0 for none.
	parallelism int
	deadline    time.Duration
	// poor says that a step may have so few further attempts that its end depends on the faults.
	poor      bool
	began     time.Time
	procs     []*sim
	crashes   int
	cancelled bool
	want      map[string]map[string]step.Artifact
	doomed    bool
	past      []Recorded
	fold      *state
}

func newScenario(seed uint64) *scenario {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		objects: map[string][]byte{}, missing: map[string]bool{}, attempts: map[string]*process{}, fails: map[string]int{}, hunger: map[string]int64{},
	}
	sc := &scenario{world: w, store: memory.New(), crashes: w.rng.IntN(5)}
	sc.mode = []Mode{StopOnFailure, FailFast, ContinueOnFailure}[w.rng.IntN(3)]
	sc.parallelism = w.rng.IntN(4)
	sc.began = w.now
	if w.chance(15) {
		sc.deadline = time.Second + w.some(time.Minute)
	}
	sc.poor = w.chance(10)
	w.recorded = sc.recordedEvents
	w.plan = sc.inventPlan()
	data, err := json.Marshal(w.plan)
	if err != nil {
		panic(err)
	}
	sc.run = mdriver.Run{ID: fmt.Sprintf("%016x", seed), Name: "sim", Pipeline: "sim", Plan: data, Spec: []byte("{}"), Status: string(Pending)}
	if err := sc.store.CreateRun(context.Background(), sc.run); err != nil {
		panic(err)
	}
	if sc.fold, err = newState(sc.run); err != nil {
		panic(err)
	}
	sc.expect()
	if w.chance(15) {
		w.after(w.some(20*time.Second), func() {
			sc.cancelled = true
			_ = sc.store.RequestCancel(context.Background(), sc.run.ID)
		})
	}
	return sc
}

// inventPlan makes a small random graph.
func (sc *scenario) inventPlan() *plan.Plan {
	p := &plan.Plan{Pipeline: "sim"}
	for i := range 1 + sc.rng.IntN(7) {
		st := plan.Step{
			Name: fmt.Sprintf("s%d", i), Recipe: fmt.Sprintf("recipe %d", i), Cache: sc.chance(60),
			Outputs: []spec.Output{{Name: "out"}}, Inputs: map[string]spec.Input{},
			Retry: sc.inventRetry(),
		}
		for j := range i {
			if sc.chance(35) {
				need := fmt.Sprintf("s%d", j)
				st.Needs = append(st.Needs, need)
				if sc.chance(80) {
					st.Inputs["in"+need] = spec.Input{Step: need, Output: "out"}
				}
			}
		}
		if len(st.Retry.Memory) > 0 {
			st.Resources = &spec.Resources{Memory: strconv.FormatInt(st.Retry.Memory[0], 10)}
			sc.hunger[st.Name] = st.Retry.Memory[sc.rng.IntN(len(st.Retry.Memory))]
		}
		if sc.chance(25) {
			sc.fails[st.Name] = 1 + sc.rng.IntN(3)
		}
		p.Steps = append(p.Steps, st)
	}
	return p
}

// inventRetry makes a policy for failed attempts.
func (sc *scenario) inventRetry() plan.Retry {
	r := plan.Retry{Max: sc.rng.IntN(3), Delay: sc.some(5 * time.Second), Factor: 2, Cap: 10 * time.Second, Infrastructure: 1000}
	if sc.poor {
		r.Infrastructure = sc.rng.IntN(3)
	}
	if sc.chance(20) {
		r.Memory = []int64{1 << 20, 2 << 20, 3 << 20}[:1+sc.rng.IntN(3)]
	}
	if sc.chance(20) {
		r.On = []string{string(step.FailureTimeout)}
	}
	if sc.chance(20) {
		action := []plan.Action{plan.FailJob, plan.Ignore, plan.Count}[sc.rng.IntN(3)]
		r.Rules = []plan.Rule{{Action: action, ExitCodes: &plan.ExitCodes{Operator: "In", Values: []int32{1}}}}
	}
	return r
}

// fatal reports whether a step's code fails more often than its policy bears.
func (sc *scenario) fatal(st *plan.Step) bool {
	most := st.Retry.Max
	switch {
	case len(st.Retry.Rules) > 0 && st.Retry.Rules[0].Action == plan.FailJob:
		most = 0
	case len(st.Retry.Rules) > 0 && st.Retry.Rules[0].Action == plan.Ignore:
		most = st.Retry.Infrastructure
	case len(st.Retry.Rules) == 0 && len(st.Retry.On) > 0:
		most = 0
	}
	return sc.fails[st.Name] > most
}

// expect computes what the undisturbed run gives, and fills the cache with results of some of its steps.
func (sc *scenario) expect() {
	sc.want = map[string]map[string]step.Artifact{}
	commit := mdriver.Commit{Lease: mdriver.Lease{Run: sc.run.ID}}
	for i := range sc.plan.Steps {
		st := &sc.plan.Steps[i]
		digests, whole := map[string]string{}, true
		for _, need := range st.Needs {
			whole = whole && sc.want[need] != nil
		}
		if !whole {
			continue
		}
		for name, in := range st.Inputs {
			digests[name] = sc.want[in.Step][in.Output].Digest
		}
		out, hit := outputsOf(st, digests), false
		if sc.chance(20) {
			commit.Cache = append(commit.Cache, mdriver.CacheEntry{Key: plan.CacheKey(st.Recipe, digests), Run: "earlier", Step: st.Name, Outputs: out, Created: sc.now})
			if sc.chance(30) {
				sc.missing[out["out"].Digest] = true
			} else {
				hit = st.Cache
			}
		}
		if !hit && sc.fatal(st) {
			sc.doomed = true
			continue
		}
		sc.want[st.Name] = out
	}
	if len(commit.Cache) > 0 {
		if err := sc.store.Commit(context.Background(), commit); err != nil {
			panic(err)
		}
	}
}

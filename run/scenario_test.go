package run

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

func newScenario(seed uint64) *scenario {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		objects: map[string][]byte{}, missing: map[string]bool{}, attempts: map[string]*process{}, fails: map[string]int{},
	}
	sc := &scenario{world: w, store: memory.New(), crashes: w.rng.IntN(5)}
	sc.mode = []Mode{StopOnFailure, FailFast, ContinueOnFailure}[w.rng.IntN(3)]
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
			Retry: plan.Retry{Max: sc.rng.IntN(3), Delay: sc.some(5 * time.Second), Factor: 2, Cap: 10 * time.Second, Infrastructure: 1000},
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
		if sc.chance(25) {
			sc.fails[st.Name] = 1 + sc.rng.IntN(3)
		}
		p.Steps = append(p.Steps, st)
	}
	return p
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
		if !hit && sc.fails[st.Name] > st.Retry.Max {
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

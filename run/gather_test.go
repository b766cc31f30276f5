package run_test

import (
	"context"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
)

// committed counts a store's transactions.
type committed struct {
	driver.Store
	commits atomic.Int64
}

func (c *committed) Commit(ctx context.Context, commit driver.Commit) error {
	c.commits.Add(1)
	return c.Store.Commit(ctx, commit)
}

// A step begins, runs, ends and is removed, and each of these is recorded: together with the end of the step before or the
// beginning of the next, not in a transaction of its own.
func TestTransactionsPerStep(t *testing.T) {
	const steps = 200
	p := plan.Plan{Pipeline: "chain"}
	for i := range steps {
		st := plan.Step{Name: "s" + strconv.Itoa(i), Outputs: []spec.Output{{Name: "out"}}}
		if i > 0 {
			need := "s" + strconv.Itoa(i-1)
			st.Needs, st.Inputs = []string{need}, map[string]spec.Input{"in": {Step: need, Output: "out"}}
		}
		p.Steps = append(p.Steps, st)
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	store := &committed{Store: memory.New()}
	r, err := run.Create(t.Context(), store, driver.Run{Pipeline: "chain", Spec: []byte("{}"), Plan: data}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := run.Components{Artifacts: &objects{data: map[string][]byte{}}, Metadata: store, Orchestrator: &instant{watching: make(chan struct{})}}
	if _, err := run.Execute(t.Context(), c, r.ID, nil); err != nil {
		t.Fatal(err)
	}
	// Waits are for at most 0.1 s, so a machine that stands still makes some more.
	if n := store.commits.Load(); n > steps*5/4 {
		t.Errorf("%d transactions for %d steps", n, steps)
	}
}

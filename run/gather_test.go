package run_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
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
	store := &committed{Store: memory.New()}
	executeSteps(t, store, steps, func(i int) int { return i - 1 })
	// Waits are for at most 0.1 s, so a machine that stands still makes some more.
	if n := store.commits.Load(); n > steps*5/4 {
		t.Errorf("%d transactions for %d steps", n, steps)
	}
}

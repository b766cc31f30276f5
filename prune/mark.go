package prune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// readers is how many runs or manifests are read at once.
const readers = 8

// mark finds all that is referred to.
func (p *pruner) mark(ctx context.Context) error {
	if err := p.markRuns(ctx); err != nil {
		return err
	}
	if err := p.markSchedules(ctx); err != nil {
		return err
	}
	if err := p.markResults(ctx); err != nil {
		return err
	}
	return p.expand(ctx)
}

// markRuns marks what all runs refer to. Should the run at which it was be deleted just then, it begins again.
func (p *pruner) markRuns(ctx context.Context) error {
	const tries = 10
	for try := 1; ; try++ {
		err := p.eachRun(ctx, func(driver.Run) bool { return true })
		if !errors.Is(err, driver.ErrNotFound) || try == tries {
			return err
		}
	}
}

// eachRun marks runs, newest first, as long as more says so of one.
func (p *pruner) eachRun(ctx context.Context, more func(driver.Run) bool) error {
	for before, on := "", true; on; {
		page, err := p.metadata.Runs(ctx, driver.Query{Before: before, Limit: pageSize})
		if err != nil || len(page) == 0 {
			return err
		}
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(readers)
		for _, r := range page {
			if on = more(r); !on {
				break
			}
			group.Go(func() error { return p.markRun(gctx, r.ID) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		before = page[len(page)-1].Name
	}
	return nil
}

// markRun marks what a run refers to. One that was deleted meanwhile refers to nothing.
func (p *pruner) markRun(ctx context.Context, id string) error {
	r, err := p.metadata.Run(ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	active := ""
	if !run.Status(r.Status).Final() {
		active = r.Name
	}
	p.marks.exists(r.ID, active)
	if err := p.marks.plan(r.Plan); err != nil {
		return fmt.Errorf("run %s: %w", r.Name, err)
	}
	if active != "" {
		if err := p.markAttempts(ctx, r.ID); err != nil {
			return fmt.Errorf("run %s: %w", r.Name, err)
		}
	}
	// The steps after the attempts: what is recorded in between is seen in one of them.
	steps, err := p.metadata.Steps(ctx, r.ID)
	for _, s := range steps {
		p.marks.artifacts(s.Outputs, byRun)
	}
	return err
}

// markAttempts marks what the attempts of a run take and have made, whether it is recorded or not.
func (p *pruner) markAttempts(ctx context.Context, id string) error {
	return p.artifacts.Walk(ctx, step.RunPrefix(id), func(o artifact.Object) error {
		var both struct {
			Code    string                   `json:"code"`
			Inputs  map[string]step.Artifact `json:"inputs"`
			Outputs json.RawMessage          `json:"outputs"`
		}
		isOutcome := strings.HasSuffix(o.Key, "/outcome.json")
		if !isOutcome && !strings.HasSuffix(o.Key, "/invocation.json") {
			return nil
		}
		data, err := p.artifacts.Get(ctx, o.Key)
		if errors.Is(err, artifact.ErrNotFound) {
			return nil
		}
		if err == nil {
			err = json.Unmarshal(data, &both)
		}
		if err != nil {
			return fmt.Errorf("reading %q: %w", o.Key, err)
		}
		p.marks.archive(both.Code)
		p.marks.artifacts(both.Inputs, byRun)
		if !isOutcome || len(both.Outputs) == 0 { // an invocation's outputs are what is asked for
			return nil
		}
		var outputs map[string]step.Artifact
		if err := json.Unmarshal(both.Outputs, &outputs); err != nil {
			return fmt.Errorf("reading %q: %w", o.Key, err)
		}
		p.marks.artifacts(outputs, byRun)
		return nil
	})
}

// markSchedules marks what runs will need that schedules are going to start.
func (p *pruner) markSchedules(ctx context.Context) error {
	return eachSchedule(ctx, p.artifacts, func(f step.Frozen) error { return p.marks.plan(f.Plan) })
}

// eachSchedule passes on what the schedules have noted.
func eachSchedule(ctx context.Context, artifacts *artifact.Store, visit func(step.Frozen) error) error {
	return artifacts.Walk(ctx, step.SchedulesPrefix, func(o artifact.Object) error {
		if o.Partial {
			return nil
		}
		data, err := artifacts.Get(ctx, o.Key)
		if errors.Is(err, artifact.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var f step.Frozen
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("reading the schedule in %q: %w", o.Key, err)
		}
		return visit(f)
	})
}

// markResults marks cached results. Those that are given up count as long as a run goes on, which may have taken one.
func (p *pruner) markResults(ctx context.Context) error {
	given := map[string]bool{}
	for _, e := range p.forgotten {
		given[e.Key] = true
		if p.marks.busy() {
			p.marks.artifacts(e.Outputs, byRun)
		}
	}
	return p.eachResult(ctx, func(page []driver.CacheEntry) error {
		for _, e := range page {
			switch {
			case given[e.Key]: // they are still there if nothing is to be removed
			case p.marks.known(e.Run):
				p.marks.artifacts(e.Outputs, byRun)
			default:
				p.marks.artifacts(e.Outputs, byResult)
			}
		}
		return nil
	})
}

// expand marks the files that marked artifacts consist of.
func (p *pruner) expand(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for s, because := range p.marks.take() {
		group.Go(func() error {
			m, err := p.artifacts.Manifest(gctx, s.digest())
			if errors.Is(err, artifact.ErrNotFound) {
				return nil // it is gone, so nothing can be kept for it
			}
			for _, f := range m.Files {
				p.marks.blob(f.Digest, because)
			}
			return err
		})
	}
	return group.Wait()
}

// again marks what was begun since, and what goes on.
func (p *pruner) again(ctx context.Context) error {
	for id := range p.marks.activeIDs() {
		if err := p.markRun(ctx, id); err != nil {
			return err
		}
	}
	if err := p.eachRun(ctx, func(r driver.Run) bool { return !p.marks.known(r.ID) }); err != nil {
		return err
	}
	if err := p.markSchedules(ctx); err != nil {
		return err
	}
	return p.expand(ctx)
}

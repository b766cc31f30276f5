package prune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// Coordinators are the images of coordinators that are needed.
type Coordinators struct {
	needed map[string]bool
	// Silent names a run or schedule that doesn't say which one it needs, since an older proa made it.
	Silent string
}

// Need says that an image, by its digest, is needed.
func (c Coordinators) Need(digest string) bool { return c.needed[digest] }

// FindCoordinators finds those that runs need which go on or were begun after a time, and those of schedules. What only other
// metadata stores know of can't be known: then it is an [UnknownError].
func FindCoordinators(ctx context.Context, artifacts *artifact.Store, metadata driver.Store, since time.Time) (Coordinators, error) {
	c := Coordinators{needed: map[string]bool{}}
	if _, err := alone(ctx, artifacts, metadata, false); err != nil {
		return c, err
	}
	for _, q := range []driver.Query{{Status: string(run.Pending)}, {Status: string(run.Running)}, {}} {
		if err := c.ofRuns(ctx, metadata, q, since); err != nil {
			return c, fmt.Errorf("finding out which coordinators runs need: %w", err)
		}
	}
	err := eachSchedule(ctx, artifacts, func(f step.Frozen) error { return c.add("the schedule "+f.Schedule, f.Plan) })
	if err != nil {
		return c, fmt.Errorf("finding out which coordinators schedules need: %w", err)
	}
	return c, nil
}

// ofRuns adds those of runs of a status, or else of those that were begun after a time.
func (c *Coordinators) ofRuns(ctx context.Context, metadata driver.Store, q driver.Query, since time.Time) error {
	for q.Limit = pageSize; ; {
		page, err := metadata.Runs(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, row := range page {
			if q.Status == "" && row.Created.Before(since) {
				return nil
			}
			r, err := metadata.Run(ctx, row.ID)
			if errors.Is(err, driver.ErrNotFound) {
				continue // it was deleted just now
			}
			if err == nil {
				err = c.add("the run "+r.Name, r.Plan)
			}
			if err != nil {
				return err
			}
		}
		q.Before = page[len(page)-1].Name
	}
}

func (c *Coordinators) add(what string, frozen json.RawMessage) error {
	var p plan.Plan
	if err := json.Unmarshal(frozen, &p); err != nil {
		return fmt.Errorf("reading the plan of %s: %w", what, err)
	}
	_, digest, found := strings.Cut(p.Coordinator, "@")
	switch {
	case found:
		c.needed[digest] = true
	case len(p.Images) > 0: // where there are none, it runs on the machine that started it
		c.Silent = what
	}
	return nil
}

// Package settle ends runs that nobody drives any more: whose coordinator can't start, or whose process was killed.
package settle

import (
	"context"
	"errors"
	"time"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// Cancel ends a run as cancelled in this process. Whatever the run had must be gone: what is swept away can't be asked.
// observer is told what happens; nil means nobody.
func Cancel(ctx context.Context, k *kit.Kit, parts run.Components, id string, observer run.Observer) (run.Result, error) {
	if err := parts.Metadata.RequestCancel(ctx, id); err != nil { // first, so that nothing is started any more
		return run.Result{}, err
	}
	parts.Orchestrator = absent{}
	return run.Execute(ctx, parts, id, &run.Options{Now: k.Now, Rand: k.Rand, Force: true, Observer: observer})
}

// absent is an orchestrator of which nothing is left.
type absent struct{}

var _ driver.Orchestrator = absent{}

func (absent) Start(context.Context, driver.Attempt) error {
	return errors.New("the run is over: nothing is started any more")
}

func (absent) Watch(ctx context.Context, _ string, known []string, events driver.Events) error {
	for _, attempt := range known {
		events.Status(driver.Status{
			Attempt: attempt, Phase: driver.Ended, ExitCode: -1,
			Failure: &step.Failure{Kind: step.FailureLost, Message: "nothing drove the run any more"},
		})
	}
	<-ctx.Done()
	return ctx.Err()
}

func (absent) Stop(context.Context, string, time.Duration) error { return nil }

func (absent) Remove(context.Context, string, bool) error { return nil }

func (absent) Close() error { return nil }

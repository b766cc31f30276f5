package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// keep stores what the step made and wrote, and enters it in the outcome. An error means that the store can't be reached.
func (l *launcher) keep(ctx context.Context, o *step.Outcome, e ending, out *output) error {
	var outputs map[string]step.Artifact
	var failure *step.Failure
	group, gctx := errgroup.WithContext(ctx)
	if o.Status == step.Succeeded {
		group.Go(func() (err error) {
			outputs, failure, err = l.saveOutputs(gctx, e.result)
			return err
		})
	}
	group.Go(func() error {
		key, err := out.store(gctx)
		o.Log = key
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if failure != nil {
		o.Status, o.Failure = step.Failed, failure
		return nil
	}
	o.Outputs = outputs
	return nil
}

// saveOutputs uploads the outputs. What can't be saved as it is fails the step; an error is the store's.
func (l *launcher) saveOutputs(ctx context.Context, result *step.Result) (map[string]step.Artifact, *step.Failure, error) {
	var mu sync.Mutex
	saved := map[string]step.Artifact{}
	var failure *step.Failure
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	for _, o := range l.inv.Outputs {
		described := result.Outputs[o.Name]
		group.Go(func() error {
			var a step.Artifact
			err := l.persist(gctx, func() (err error) {
				a, err = l.store.Save(gctx, l.work.output(o.Name), described.Type, described.Materializer, described.Preview)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				saved[o.Name] = a
			case artifact.Transient(err), gctx.Err() != nil:
				return fmt.Errorf("saving output %q: %w", o.Name, err)
			default:
				failure = &step.Failure{Kind: step.FailureConfig, Message: fmt.Sprintf("saving output %q: %v", o.Name, err)}
			}
			return nil
		})
	}
	err := group.Wait()
	return saved, failure, err
}

// publish stores the outcome, unless there is one. An error comes with the exit code.
func (l *launcher) publish(ctx context.Context, o step.Outcome) (int, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return step.ExitInternal, fmt.Errorf("encoding the outcome: %w", err)
	}
	created, err := l.putFirst(ctx, step.OutcomeKey(l.runID, l.attemptName), data)
	switch {
	case err != nil:
		return step.ExitStore, fmt.Errorf("storing the outcome: %w", err)
	case !created:
		return step.ExitSuperseded, errors.New("another outcome had been stored for this attempt; this one doesn't count")
	}
	return 0, nil
}

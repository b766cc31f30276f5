package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

const (
	// defaultGrace is for invocations that say nothing.
	defaultGrace = 10 * time.Second
	// transfers is how many inputs or outputs are on their way at once; each may have several files.
	transfers = 4
)

// execute fetches the inputs and runs the runner to its end.
func (l *launcher) execute(early, lasting context.Context, e *ender, out *output, coordinator *channel) ending {
	if err := l.prepare(early); err != nil {
		return ending{reserved: step.ExitStore, failure: preparationFailure(err)}
	}
	memory := openMemory(l.Root)
	end := ending{start: l.Now(), limit: l.inv.Timeout}
	r, err := l.newRunner(e, out, coordinator)
	if err == nil {
		end.exit, err = r.run(lasting)
	}
	if err != nil {
		return ending{reserved: step.ExitStart, failure: &step.Failure{
			Kind: step.FailureConfig, Message: fmt.Sprintf("the step's runner %q could not be started: %v", l.inv.Command[0], err),
		}}
	}
	end.started = true
	end.end = l.Now()
	end.oom = memory.killed()
	end.result, end.resultErr = l.readResult()
	end.tail = out.tail.String()
	return end
}

func preparationFailure(err error) *step.Failure {
	kind := step.FailureConfig
	if artifact.Transient(err) {
		kind = step.FailureLost
	}
	return &step.Failure{Kind: kind, Message: err.Error()}
}

// prepare fetches the inputs and writes the request.
func (l *launcher) prepare(ctx context.Context) error {
	request := step.Request{
		APIVersion: spec.APIVersion,
		Run:        l.inv.Run, RunName: l.inv.RunName, Pipeline: l.inv.Pipeline, Step: l.inv.Step, Attempt: l.inv.Attempt,
		Source: l.inv.Source, Parameters: l.inv.Parameters, Inputs: map[string]step.RequestInput{},
		Result: l.work.result(), Temp: l.work.temp(), Secrets: l.secrets(),
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	group.Go(func() error { return l.fetchCode(gctx) })
	for name, a := range l.inv.Inputs {
		if err := checkName("input", name); err != nil {
			return err
		}
		path := l.work.input(name)
		request.Inputs[name] = step.RequestInput{Path: path, Type: a.Type, Materializer: a.Materializer}
		group.Go(func() error { return l.fetch(gctx, name, a.Digest, path) })
	}
	for _, o := range l.inv.Outputs {
		if err := checkName("output", o.Name); err != nil {
			return err
		}
		path := l.work.output(o.Name)
		request.Outputs = append(request.Outputs, step.RequestOutput{Name: o.Name, Type: o.Type, Materializer: o.Materializer, Path: path})
		if err := os.Mkdir(path, 0o700); err != nil {
			return fmt.Errorf("making a folder for output %q: %w", o.Name, err)
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return l.writeRequest(request)
}

func (l *launcher) fetch(ctx context.Context, name, digest, path string) error {
	err := l.persist(ctx, func() error {
		_, err := l.store.Fetch(ctx, digest, path)
		return err
	})
	if errors.Is(err, artifact.ErrNotFound) {
		return fmt.Errorf("input %q is gone from the artifact store: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("fetching input %q: %w", name, err)
	}
	return nil
}

func (l *launcher) writeRequest(request step.Request) error {
	data, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encoding the request to the runner: %w", err)
	}
	if err := os.WriteFile(l.work.request(), data, 0o600); err != nil {
		return fmt.Errorf("writing the request to the runner: %w", err)
	}
	return nil
}

// readResult reads the runner's answer; nil if it gave none.
func (l *launcher) readResult() (*step.Result, error) {
	data, err := os.ReadFile(l.work.result())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the runner's result: %w", err)
	}
	var result step.Result
	if err := json.Unmarshal(data, &result); err != nil {
		return nil, fmt.Errorf("decoding the runner's result: %w", err)
	}
	if result.APIVersion != spec.APIVersion {
		return nil, fmt.Errorf("the runner's result has the version %q, not %q", result.APIVersion, spec.APIVersion)
	}
	return &result, nil
}

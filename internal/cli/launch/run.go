package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/flavor"
	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/progress"
	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/metadata/driver"
	orchestratordriver "github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
	"golang.org/x/sync/errgroup"
)

// launch is one run on its way.
type launch struct {
	*kit.Kit
	// stack is what the run is for; once it is open, it holds what its components refer to in the secrets manager.
	stack stack.Resolved
	// inside is the stack as the coordinator has to be told of it; it is secret.
	inside   stack.Resolved
	place    flavor.Place
	data     []byte
	pipeline *spec.Pipeline
	plan     *plan.Plan
	settings runSettings
	// pull is what the nodes pull the images with; it is secret.
	pull  imagedriver.PullConfig
	store step.Store
	// secrets are those that steps are given, by name and key.
	secrets map[string]map[string]string
	// artifacts, metadata and remote (if the stack has one) are open.
	artifacts *artifact.Store
	metadata  driver.Store
	remote    flavor.Remote
	view      *progress.View
	interrupt *interrupts
	began     time.Time
	run       driver.Run
	// schedule has the pipeline run at its times instead of now; nil means now.
	schedule *spec.Schedule
	// offer is a fork of the script that steps can be forked from; nil if there is none.
	offer *forks.Offer
}

// runSpec runs a spec on the active stack.
func runSpec(ctx context.Context, k *kit.Kit, specFile, resultFile string, rebuild bool) (err error) {
	l := &launch{Kit: k, began: k.Now()}
	if l.data, err = readSpec(specFile); err != nil {
		return err
	}
	if l.data, err = configured(k, l.data); err != nil {
		return err
	}
	if l.stack, err = k.Stack(); err != nil {
		return err
	}
	l.place = k.Catalogue.Place(l.stack)
	if l.pipeline, l.plan, err = planFor(k, l.stack, l.data); err != nil {
		return err
	}
	if rebuild {
		renew(l.plan)
	}
	if l.settings, err = settingsOf(l.plan); err != nil {
		return err
	}
	if l.schedule, err = l.scheduled(); err != nil {
		return err
	}
	l.takeOffer()
	l.view = k.View()
	defer l.view.Close()
	return l.drive(ctx, resultFile, nil)
}

// drive runs what is planned. prepare, if it is not nil, is called once the stores are open.
func (l *launch) drive(ctx context.Context, resultFile string, prepare func(context.Context) error) error {
	l.interrupt = watchInterrupts(ctx, l.TakeInterrupts())
	defer l.interrupt.stop()
	l.view.Say(fmt.Sprintf("Using stack '%s' to run pipeline '%s'", l.stack.Name, inspect.Label(l.pipeline.Name)))
	err := l.execute(l.interrupt.last, prepare)
	if l.run.ID == "" || l.metadata == nil {
		return l.explain(err)
	}
	return errors.Join(l.explain(err), l.writeResult(context.WithoutCancel(ctx), resultFile))
}

// execute does the work. ctx ends at the second interrupt; what is before the run ends at the first.
func (l *launch) execute(ctx context.Context, prepare func(context.Context) error) error {
	if err := l.open(l.interrupt.first); err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(l.interrupt.first); err != nil {
			return err
		}
	}
	switch {
	case l.schedule != nil:
		return l.makeSchedule(l.interrupt.first, *l.schedule)
	case l.remote != nil:
		return l.runRemote(ctx)
	}
	return l.runLocal(ctx)
}

// open reaches the components, all at once, and checks that they can be used.
func (l *launch) open(ctx context.Context) (err error) {
	if l.secrets, err = stepSecrets(ctx, l.Kit, l.stack, l.plan); err != nil {
		return err
	}
	if l.stack, err = l.Opener.Reveal(ctx, l.stack); err != nil {
		return err
	}
	if l.store, err = l.Opener.Artifacts(ctx, l.stack); err != nil {
		return err
	}
	stage := l.view.Stage("stack")
	defer stage.Done("")
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if l.artifacts, err = artifact.Open(ctx, l.store, nil); err == nil {
			err = l.artifacts.Check(gctx)
		}
		return l.broken(stack.ArtifactStore, err)
	})
	group.Go(func() (err error) {
		l.metadata, err = l.Opener.Metadata(gctx, l.stack)
		return l.broken(stack.MetadataStore, err)
	})
	if l.Catalogue.Remote(l.place) {
		if l.remote, err = l.Opener.Remote(l.place); err != nil {
			return err
		}
		group.Go(func() error { return l.broken(stack.Orchestrator, l.remote.Check(gctx)) })
		group.Go(func() error {
			if doubt := l.Catalogue.DoubtRegistry(gctx, l.remote, l.stack); doubt != "" {
				l.view.Notice(doubt)
			}
			return nil
		})
		group.Go(func() error { return l.admitted(gctx) })
		group.Go(func() (err error) {
			l.inside, err = flavor.Inside(gctx, l.Opener, l.stack)
			return l.broken(stack.MetadataStore, err)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return l.PairStores(ctx, l.stack, l.artifacts, l.metadata)
}

// admitted asks whether the cluster would let the steps run.
func (l *launch) admitted(ctx context.Context) error {
	admitter, ok := l.remote.(flavor.Admitter)
	if !ok {
		return nil
	}
	attempts := make([]orchestratordriver.Attempt, 0, len(l.plan.Steps))
	for _, s := range l.plan.Steps {
		attempts = append(attempts, orchestratordriver.Attempt{Step: s.Name, User: s.User, Settings: s.Settings, Resources: s.Resources})
	}
	if err := admitter.Admits(ctx, attempts); err != nil && !errors.Is(err, context.Canceled) {
		return fault.With(fault.Configuration, "", err)
	}
	return nil
}

// broken says which component can't be used, and where to look.
func (l *launch) broken(kind stack.Kind, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	name := l.stack.Components[kind].Name
	return fault.With(fault.Infrastructure,
		fmt.Sprintf("look at its attributes (`proa %s describe %s`) and correct them with `proa %s update %s --key=value`", kind, name, kind, name),
		fmt.Errorf("the %s %q can't be used: %w", kind.Words(), name, err))
}

// create records the run, with its spec and plan frozen.
func (l *launch) create(ctx context.Context) error {
	if l.plan.Revision == "" { // a retried run has that of its first code
		l.plan.Revision = l.provenance(ctx)[revisionAnnotation]
	}
	frozen, err := encode(l.plan)
	if err != nil {
		return fmt.Errorf("encoding the plan: %w", err)
	}
	l.run, err = run.Create(ctx, l.metadata, driver.Run{
		Pipeline: l.pipeline.Name, Stack: l.stack.Name,
		Orchestrator: l.place.Flavor, Context: l.place.Context, Namespace: l.place.Namespace,
		Spec: l.data, Plan: frozen,
	}, &run.CreateOptions{Now: l.Now, Rand: l.Rand})
	return l.broken(stack.MetadataStore, err)
}

// explain gives an interruption its exit code and words.
func (l *launch) explain(err error) error {
	if err != nil && errors.Is(err, context.Canceled) && l.interrupt.first.Err() != nil {
		return fault.New(fault.Cancelled, "", "interrupted")
	}
	return err
}

// verdict turns a run's final status into the command's end. The view has told the user.
func verdict(name string, status run.Status) error {
	switch status {
	case run.Succeeded:
		return nil
	case run.Cancelled:
		return &fault.Error{Code: fault.Cancelled, Err: fmt.Errorf("run %s was cancelled", name), Told: true}
	case run.Failed, run.Pending, run.Running:
	}
	return &fault.Error{Code: fault.StepFailed, Err: fmt.Errorf("run %s failed", name), Told: true}
}

// writeResult writes the run for the program that asked for it.
func (l *launch) writeResult(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	shown, err := inspect.Read(ctx, l.metadata, l.run.ID)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]inspect.Run{"run": shown})
	if err != nil {
		return err
	}
	if err := os.WriteFile(inDir(l.Kit, path), data, 0o600); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

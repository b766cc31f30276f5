package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// runLocal drives the run in this process.
func (l *launch) runLocal(ctx context.Context) (err error) {
	path, err := launcher(l.Kit)
	if err != nil {
		return err
	}
	orchestrator, err := l.Opener.Local(ctx, l.stack, flavor.Process{
		Launcher: path, Dir: filepath.Join(os.TempDir(), "proa-local"), Offer: l.offer, Access: step.Access{APIVersion: spec.APIVersion, Store: l.store, Secrets: l.secrets},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, orchestrator.Close()) }()
	if err := l.create(l.interrupt.first); err != nil {
		return err
	}
	l.view.Begin(l.run.Name, l.plan)
	silent := context.AfterFunc(l.interrupt.first, func() {
		l.view.Say("Cancelling the run. Interrupt again to not give its steps the time to end.")
	})
	defer silent()
	options := l.settings.engine()
	options.Now, options.Rand, options.Observer, options.CancelOn = l.Now, l.Rand, l.view, l.interrupt.first.Done()
	result, err := run.Execute(ctx,
		run.Components{Artifacts: l.artifacts, Metadata: l.metadata, Orchestrator: orchestrator}, l.run.ID, &options)
	if ctx.Err() != nil {
		return fault.New(fault.Cancelled, fmt.Sprintf("end it with `proa runs cancel %[1]s`, or do the rest with `proa runs resume %[1]s`", l.run.Name),
			"run %s was left before it had ended, and its steps with it", l.run.Name)
	}
	if err != nil {
		return err
	}
	l.view.Summary(l.began)
	return verdict(l.run.Name, result.Status)
}

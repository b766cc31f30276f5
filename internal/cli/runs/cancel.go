package runs

import (
	"context"
	"errors"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/settle"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// cancelPoll is how often the end of a cancelled run is looked for.
const cancelPoll = 500 * time.Millisecond

func (n noun) cancelCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Example: "  proa runs cancel RUN",
		Use:     "cancel RUN", Short: "Cancel a run and wait until it has ended", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.latest),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			stores, err := n.OpenStores(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			r, err := stores.Metadata.Run(ctx, args[0])
			if err != nil {
				return kit.NoRun(err, args[0], stores.Stack.Name)
			}
			if run.Status(r.Status).Final() {
				n.Statusf("Run %s has ended already: %s.", r.Name, r.Status)
				return nil
			}
			return n.cancel(ctx, stores, r, wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the run's own end before it is ended from here")
	return cmd
}

func (n noun) cancel(ctx context.Context, stores kit.Stores, r driver.Run, wait time.Duration) error {
	if err := stores.Metadata.RequestCancel(ctx, r.ID); err != nil {
		return err
	}
	n.Statusf("Cancelling run %s ...", r.Name)
	status, err := awaitEnd(ctx, stores.Metadata, r.ID, wait)
	if err != nil {
		return err
	}
	if err := n.sweep(ctx, stores.Stack, r); err != nil {
		return err
	}
	if !status.Final() {
		n.Statusf("Nothing drives the run any more; ending it from here.")
		result, err := settle.Cancel(ctx, n.Kit, run.Components{Artifacts: stores.Artifacts, Metadata: stores.Metadata}, r.ID, nil)
		if err != nil {
			return fault.With(fault.Infrastructure, "try again", err)
		}
		status = result.Status
	}
	n.Statusf("Run %s: %s.", r.Name, status)
	return nil
}

// sweep removes what the run left in its cluster. One that was started within the cluster has not recorded from where else it
// is reached; the stack says it.
func (n noun) sweep(ctx context.Context, s stack.Resolved, r driver.Run) error {
	place := flavor.Place{Flavor: r.Orchestrator, Context: r.Context, Namespace: r.Namespace}
	if place.Context == "" {
		place.Context = n.Catalogue.Place(s).Context
	}
	if !n.Catalogue.Remote(place) {
		return nil
	}
	remote, err := n.Opener.Remote(place)
	if err != nil {
		return err
	}
	return remote.Sweep(ctx, r.ID)
}

func awaitEnd(ctx context.Context, m driver.Reader, id string, wait time.Duration) (run.Status, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	ticker := time.NewTicker(cancelPoll)
	defer ticker.Stop()
	for {
		r, err := m.Run(ctx, id)
		if err != nil {
			return "", err
		}
		if status := run.Status(r.Status); status.Final() {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-deadline.C:
			return run.Status(r.Status), nil
		case <-ticker.C:
		}
	}
}

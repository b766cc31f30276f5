package runs

import (
	"context"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
	"github.com/spf13/cobra"
)

func (n noun) deleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete RUN ...",
		Short: "Delete runs that have ended: their facts, logs and outcomes",
		Long: "Delete runs that have ended: their facts, logs and outcomes, and what is left of them in a cluster.\n" +
			"The artifacts they made stay, and so do the cached results that other runs may take: `proa artifact prune` removes what\n" +
			"nothing refers to any more.",
		Example: "  proa runs delete digits_pipeline-2026-11-24-09-00-00-889628",
		Args:    kit.Args(1, -1), ValidArgsFunction: kit.CompleteAsking(n.latest),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !yes {
				if err := n.Agree(cmd.Context(), fmt.Sprintf("Delete %d of the runs of the active stack?", len(args)), "--yes"); err != nil {
					return err
				}
			}
			stores, err := n.OpenStores(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			for _, name := range args {
				if err := n.remove(cmd.Context(), stores, name); err != nil {
					return err
				}
			}
			n.Statusf("`proa artifact prune` frees what no run needs any more.")
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

// remove deletes the objects of a run before its rows: should it be interrupted, the run is still there to be deleted.
func (n noun) remove(ctx context.Context, stores kit.Stores, name string) error {
	r, err := stores.Metadata.Run(ctx, name)
	if err != nil {
		return kit.NoRun(err, name, stores.Stack.Name)
	}
	if !run.Status(r.Status).Final() {
		return fault.New(fault.Usage, "cancel it first: `proa runs cancel "+r.Name+"`", "the run %s has not ended: it is %s", r.Name, r.Status)
	}
	if err := n.sweep(ctx, stores.Stack, r); err != nil {
		return fault.With(fault.Infrastructure, "try again", fmt.Errorf("removing what is left of run %s in its cluster: %w", r.Name, err))
	}
	keys, err := stores.Artifacts.List(ctx, step.RunPrefix(r.ID))
	if err != nil {
		return fmt.Errorf("listing the objects of run %s: %w", r.Name, err)
	}
	for _, key := range keys {
		if err := stores.Artifacts.Delete(ctx, key); err != nil {
			return fmt.Errorf("deleting an object of run %s: %w", r.Name, err)
		}
	}
	if err := stores.Metadata.DeleteRun(ctx, r.ID); err != nil {
		return fmt.Errorf("deleting run %s: %w", r.Name, err)
	}
	n.Statusf("Deleted run %s.", r.Name)
	return nil
}

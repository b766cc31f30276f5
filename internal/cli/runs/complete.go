package runs

import (
	"context"
	"time"

	"github.com/proa-ml/proa/run"
	"github.com/spf13/cobra"
)

// completeQuery completes the values of the flags that select runs.
func (n noun) completeQuery(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc("before", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return n.completeRuns(cmd, nil, word)
	})
	var statuses []string
	for _, s := range []run.Status{run.Pending, run.Running, run.Succeeded, run.Failed, run.Cancelled} {
		statuses = append(statuses, string(s))
	}
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(statuses, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("pipeline", n.completePipelines)
}

func (n noun) completePipelines(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	stores, err := n.OpenMetadata(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer func() { _ = stores.Close() }()
	all, err := stores.Metadata.Pipelines(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

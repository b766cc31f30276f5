package runs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/run"
	"github.com/spf13/cobra"
)

// statuses are those that a run can have.
func statuses() []string {
	return []string{string(run.Pending), string(run.Running), string(run.Succeeded), string(run.Failed), string(run.Cancelled)}
}

// checkStatus says that there is no such status.
func checkStatus(status string) error {
	if status == "" || slices.Contains(statuses(), status) {
		return nil
	}
	hint := "runs are " + strings.Join(statuses(), ", ")
	if near := strict.Nearest(status, statuses()); near != "" {
		hint = fmt.Sprintf("did you mean --status=%s?", near)
	}
	return fault.New(fault.Usage, hint, "%q is no status of a run", status)
}

// completeQuery completes the values of the flags that select runs.
func (n noun) completeQuery(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc("before", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return n.completeRuns(cmd, nil, word)
	})
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(statuses(), cobra.ShellCompDirectiveNoFileComp))
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

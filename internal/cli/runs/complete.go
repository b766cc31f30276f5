package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/metadata/driver"
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
	_ = cmd.RegisterFlagCompletionFunc("before", kit.CompleteAsking(n.latest))
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(statuses(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("pipeline", kit.CompleteAsking(n.pipelines))
}

// latest lists the names of the latest runs.
func (n noun) latest(ctx context.Context) (names []string, err error) {
	stores, err := n.OpenMetadata(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	runs, err := inspect.List(ctx, stores.Metadata, driver.Query{Limit: 20})
	for _, r := range runs {
		names = append(names, r.Name)
	}
	return names, err
}

func (n noun) pipelines(ctx context.Context) (names []string, err error) {
	stores, err := n.OpenMetadata(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	all, err := stores.Metadata.Pipelines(ctx)
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names, err
}

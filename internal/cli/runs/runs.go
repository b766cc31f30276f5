// Package runs is the command `proa runs`.
package runs

import (
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/launch"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("runs", "Show, read, cancel and delete runs of the active stack",
		n.listCommand(), n.showCommand(), n.logsCommand("proa runs logs"), n.cancelCommand(), n.deleteCommand(), n.again(launch.NewResume), n.again(launch.NewRetry), n.diffCommand(), n.reportCommand())
}

// again makes a command that repeats a run.
func (n noun) again(make func(*kit.Kit) *cobra.Command) *cobra.Command {
	cmd := make(n.Kit)
	cmd.ValidArgsFunction = kit.CompleteAsking(n.latest)
	return cmd
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	var query driver.Query
	cmd := &cobra.Command{
		Example: "  proa runs list --status failed\n  proa runs list --pipeline digits_pipeline -o name",
		Use:     "list", Short: "List runs, newest first", Args: kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkStatus(query.Status); err != nil {
				return err
			}
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			runs, err := inspect.List(cmd.Context(), stores.Metadata, query)
			if err != nil {
				return kit.NoRun(err, query.Before, stores.Stack.Name)
			}
			table := output.Table{Header: []string{"RUN", "PIPELINE", "STACK", "STATUS", "CREATED", "TIME"}}
			for _, r := range runs {
				table.Rows = append(table.Rows, []string{r.Name, r.Pipeline, r.Stack, r.Status, moment(r.Created), n.took(r.Started, r.Ended)})
			}
			switch {
			case len(runs) > 0:
			case query.Pipeline+query.Status+query.Before != "":
				n.Statusf("No such runs in the metadata store of stack '%s'.", stores.Stack.Name)
			default:
				n.Statusf("No runs in the metadata store of stack '%s'.", stores.Stack.Name)
			}
			return output.Print(n.Streams, format, runs, table)
		},
	}
	output.AddFlag(cmd, &format)
	cmd.Flags().StringVar(&query.Pipeline, "pipeline", "", "only runs of this pipeline")
	cmd.Flags().StringVar(&query.Status, "status", "", "only runs of this status")
	cmd.Flags().IntVar(&query.Limit, "limit", 50, "the most runs to list")
	cmd.Flags().StringVar(&query.Before, "before", "", "only runs that are older than the run of this name")
	n.completeQuery(cmd)
	return cmd
}

func (n noun) showCommand() *cobra.Command {
	var format output.Format
	var d drawing
	cmd := &cobra.Command{
		Example: "  proa runs show RUN\n  proa runs show RUN -o json\n  proa runs show RUN --graph --timeline\n  proa runs show RUN --graph=mermaid",
		Use:     "show RUN", Short: "Show a run and its steps", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.latest),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if d.wanted() {
				return n.draw(cmd.Context(), d, args[0])
			}
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			r, err := inspect.Read(cmd.Context(), stores.Metadata, args[0])
			if err != nil {
				return kit.NoRun(err, args[0], stores.Stack.Name)
			}
			if format.ForPeople() {
				n.Statusf("Run %s of pipeline %s on stack %s: %s %s", r.Name, inspect.Label(r.Pipeline), r.Stack, r.Status, n.took(r.Started, r.Ended))
			}
			return output.Print(n.Streams, format, r, n.steps(r))
		},
	}
	d.addFlags(cmd)
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) steps(r inspect.Run) output.Table {
	table := output.Table{Header: []string{"STEP", "STATUS", "ATTEMPT", "TIME", "OUTPUTS"}}
	for _, s := range r.Steps {
		outputs := ""
		for _, a := range (inspect.Run{Steps: []inspect.Step{s}}).Artifacts() {
			outputs += fmt.Sprintf("%s: %s  ", a.Output, a.Preview)
		}
		if s.Failure != nil {
			outputs = fmt.Sprintf("%s: %s", s.Failure.Kind, s.Failure.Message)
		}
		table.Rows = append(table.Rows, []string{s.Name, s.Status, fmt.Sprint(s.Attempt), n.took(s.Started, s.Ended), outputs})
	}
	return table
}

// took is how long something ran, up to now if it still does.
func (n noun) took(started, ended time.Time) string {
	switch {
	case started.IsZero():
		return ""
	case ended.IsZero():
		return inspect.Duration(n.Now().Sub(started))
	}
	return inspect.Duration(ended.Sub(started))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

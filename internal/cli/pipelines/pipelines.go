// Package pipelines is the command `proa pipeline`.
package pipelines

import (
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/launch"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/internal/cli/runs"
	"github.com/proa-ml/proa/internal/cli/schedules"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("pipeline", "List the pipelines of the active stack, and run one with a configuration", n.listCommand(), n.runCommand(),
		former(runs.New(k)), former(schedules.New(k)))
}

// former hides a command that ZenML has below `pipeline`.
func former(cmd *cobra.Command) *cobra.Command {
	cmd.Hidden = true
	return cmd
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa pipeline list\n  proa pipeline list -o name",
		Use:     "list", Short: "List the pipelines that have runs, with the latest run of each", Args: kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			all, err := inspect.Pipelines(cmd.Context(), stores.Metadata)
			if err != nil {
				return err
			}
			table := output.Table{Header: []string{"PIPELINE", "RUNS", "LAST STATUS", "LAST RUN", "CREATED"}}
			for _, p := range all {
				created := p.Last.Created.Local().Format(time.DateTime)
				table.Rows = append(table.Rows, []string{p.Name, fmt.Sprint(p.Runs), p.Last.Status, p.Last.Name, created})
			}
			if len(all) == 0 {
				n.Statusf("No pipelines in the metadata store of stack '%s'.", stores.Stack.Name)
			}
			return output.Print(n.Streams, format, all, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) runCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use: "run FILE -c CONFIG [-- ARGUMENTS]", Short: "Run a Python file's pipeline with the parameters and settings of a YAML file",
		Long: `Run a Python file's pipeline on the active stack, with what a YAML file says instead of what the code does:

    name: nightly                # of the pipeline
    enable_cache: false
    settings: {docker: {...}, orchestrator: {...}}
    steps:
      trainer:
        parameters: {gamma: 0.01}
        enable_cache: true       # also: settings, retry, timeout, resources

All of it is optional. A parameter is what a step is called with or has as a default. Mappings are merged with the code's,
everything else takes its place. A step or a parameter that there isn't is an error.`,
		Example: "  proa pipeline run train.py -c nightly.yaml\n  proa pipeline run train.py -c nightly.yaml -- --epochs 3",
		Args:    kit.Args(1, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			if config == "" {
				return fault.New(fault.Usage, "usage: proa pipeline run FILE -c CONFIG", "name the configuration with -c; without one it is `proa run FILE`")
			}
			return launch.WithConfig(n.Kit, args, config)
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "the YAML file")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	return cmd
}

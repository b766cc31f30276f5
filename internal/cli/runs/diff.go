package runs

import (
	"errors"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/spf13/cobra"
)

func (n noun) diffCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa runs diff RUN OTHER",
		Use:     "diff RUN OTHER", Short: "Show in what two runs differ", Args: kit.Args(2, 2),
		Long: "Show in what two runs differ: code, parameters, inputs and environment of their steps, and what came of them.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			for _, name := range args {
				if _, err := stores.Metadata.Run(cmd.Context(), name); err != nil {
					return kit.NoRun(err, name, stores.Stack.Name)
				}
			}
			found, err := inspect.Diff(cmd.Context(), stores.Metadata, args[0], args[1])
			if err != nil {
				return err
			}
			if len(found) == 0 && format.ForPeople() {
				n.Statusf("The runs are equal in code, parameters, inputs, environment and results.")
				return nil
			}
			table := output.Table{Header: []string{"STEP", "WHAT", "RUN", "OTHER"}}
			for _, d := range found {
				table.Rows = append(table.Rows, []string{d.Step, d.What, d.A, d.B})
			}
			return output.Print(n.Streams, format, found, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

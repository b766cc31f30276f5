package stacks

import (
	"github.com/proa-ml/proa/internal/cli/check"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/spf13/cobra"
)

func (n noun) checkCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "check [NAME]", Short: "Open every component of a stack and say what is wrong and how to mend it",
		Long: "Open every component of a stack, the active one if no name is given: is it reached, are the credentials right, may it be\n" +
			"written to. A line for each says what is wrong and how to mend it. Nothing is left behind.",
		Example: "  proa stack check\n  proa stack check k8s -o json",
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			resolved, err := n.resolved(args)
			if err != nil {
				return err
			}
			warnings, err := n.Catalogue.Validate(resolved)
			n.warn(warnings)
			if err != nil {
				return err
			}
			return n.report(format, resolved.Name, check.Stack(cmd.Context(), n.Kit, resolved))
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) report(format output.Format, name string, all []check.Checked) error {
	table := output.Table{Header: []string{"COMPONENT", "NAME", "STATE", "FIX"}}
	worst := fault.OK
	for _, c := range all {
		state := "ok"
		if !c.OK {
			state = c.Problem
			worst = max(worst, c.Code())
		}
		table.Rows = append(table.Rows, []string{string(c.Kind), c.Name, state, c.Fix})
		table.Names = append(table.Names, c.Name)
	}
	if err := output.Print(n.Streams, format, all, table); err != nil {
		return err
	}
	if worst == fault.OK {
		return nil
	}
	return fault.New(worst, "", "the stack %q can't be used as it is", name)
}

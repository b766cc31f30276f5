package stacks

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/service"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// inOrder returns the components of the stack that is named, or of the active one.
func (n noun) inOrder(args []string) (string, []stack.Component, error) {
	resolved, err := n.resolved(args)
	if err != nil {
		return "", nil, err
	}
	var all []stack.Component
	for _, kind := range stack.Kinds() {
		if c, ok := resolved.Components[kind]; ok {
			all = append(all, c)
		}
	}
	return resolved.Name, all, nil
}

func (n noun) upCommand() *cobra.Command {
	return &cobra.Command{
		Use: "up [NAME]", Short: "Start the components that proa runs itself; the active stack's if no name is given",
		Long: "Start the components of a stack that proa runs itself, such as a database in a cluster; of the active one if no name is\n" +
			"given. What is missing is made, and what is there is left as it is. Other machines don't have to do it again.",
		Example: "  proa stack up\n  proa stack up k8s",
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, components, err := n.inOrder(args)
			if err != nil {
				return err
			}
			if err := service.Up(cmd.Context(), n.Kit, components); err != nil {
				return fmt.Errorf("stack %q is not up: %w", name, err)
			}
			n.Statusf("Stack '%s' is up.", name)
			return nil
		},
	}
}

func (n noun) downCommand() *cobra.Command {
	var stop service.Stop
	cmd := &cobra.Command{
		Use: "down [NAME]", Short: "Stop the components that proa runs itself and keep their data; the active stack's if no name is given",
		Long: "Stop the components of a stack that proa runs itself, and keep their data; of the active one if no name is given.\n" +
			"With --force they are removed with all their data.",
		Example: "  proa stack down\n  proa stack down k8s --force --yes",
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, components, err := n.inOrder(args)
			if err != nil {
				return err
			}
			if err := service.Down(cmd.Context(), n.Kit, components, stop); err != nil {
				return fmt.Errorf("stack %q: %w", name, err)
			}
			n.Statusf("Stack '%s' is down.", name)
			return nil
		},
	}
	stop.AddFlags(cmd)
	return cmd
}

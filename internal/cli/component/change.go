package component

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rename OLD NEW", Short: fmt.Sprintf("Give %s another name, also in the stacks that use it", n.kind.Article()),
		Example: fmt.Sprintf("  proa %s rename old new", n.kind),
		Args:    kit.Args(2, 2), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			err := n.Files.Update(func(config *stack.Config) error { return config.RenameComponent(n.kind, args[0], args[1]) })
			if err != nil {
				return err
			}
			n.Statusf("Renamed %s '%s' to '%s'.", n.kind.Words(), args[0], args[1])
			return nil
		},
	}
}

func (n noun) copyCommand() *cobra.Command {
	var between kit.Between
	cmd := &cobra.Command{
		Use: "copy SOURCE NEW", Short: fmt.Sprintf("Register %s like another one", n.kind.Article()),
		Example: fmt.Sprintf("  proa %s copy default mine\n  proa %[1]s copy theirs mine --from team", n.kind),
		Args:    kit.Args(2, 2), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			err := n.Copy(between, func(from, to *stack.Config) error {
				c, err := from.Component(n.kind, args[0])
				if err != nil {
					return err
				}
				c.Name, c.BuiltIn = args[1], false
				return to.AddComponent(c)
			})
			if err != nil {
				return err
			}
			n.Statusf("Copied %s '%s' to '%s'.", n.kind.Words(), args[0], args[1])
			return nil
		},
	}
	between.AddFlags(cmd)
	return cmd
}

func (n noun) removeAttributeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove-attribute NAME ATTRIBUTE ...", Short: fmt.Sprintf("Take optional attributes from %s", n.kind.Article()),
		Example: fmt.Sprintf("  proa %s remove-attribute NAME ATTRIBUTE", n.kind),
		Args:    kit.Args(2, -1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes := map[string]string{}
			for _, attribute := range args[1:] {
				changes[attribute] = ""
			}
			return n.update(cmd.Context(), args[:1], changes)
		},
	}
}

func (n noun) deleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Example: fmt.Sprintf("  proa %s delete NAME", n.kind),
		Use:     "delete NAME", Short: fmt.Sprintf("Forget %s that no stack uses", n.kind.Article()),
		Args: kit.Args(1, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			err := n.Files.Update(func(config *stack.Config) error { return config.DeleteComponent(n.kind, args[0]) })
			if err != nil {
				return err
			}
			n.Statusf("Deleted %s '%s'.", n.kind.Words(), args[0])
			return nil
		},
	}
	cmd.Flags().BoolP("yes", "y", false, "don't ask (nothing is asked)")
	return cmd
}

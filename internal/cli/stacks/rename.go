package stacks

import (
	"slices"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rename OLD NEW", Short: "Give a stack another name", Args: kit.Args(2, 2), ValidArgsFunction: kit.Complete(n.names),
		Example: "  proa stack rename k8s production",
		RunE: func(_ *cobra.Command, args []string) error {
			err := n.Files.Update(func(config *stack.Config) error { return config.RenameStack(args[0], args[1]) })
			if err != nil {
				return err
			}
			if err := n.follow(args[0], args[1]); err != nil {
				return err
			}
			n.Statusf("Renamed stack '%s' to '%s'.", args[0], args[1])
			return nil
		},
	}
}

// follow keeps a renamed stack the active one of this repository, if it was.
func (n noun) follow(from, to string) error {
	repository := stack.FindRepository(n.Dir)
	if repository == nil {
		return nil
	}
	active, err := repository.Active()
	if err != nil || active != from {
		return err
	}
	return repository.SetActive(to)
}

func (n noun) copyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "copy SOURCE NEW", Short: "Register a stack with another one's components", Args: kit.Args(2, 2), ValidArgsFunction: kit.Complete(n.names),
		Example: "  proa stack copy default mine",
		RunE: func(_ *cobra.Command, args []string) error {
			err := n.Files.Update(func(config *stack.Config) error { return config.CopyStack(args[0], args[1]) })
			if err != nil {
				return err
			}
			n.Statusf("Copied stack '%s' to '%s'.", args[0], args[1])
			return nil
		},
	}
}

// removeComponentCommand takes optional components from a stack.
func (n noun) removeComponentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove-component [NAME]", Short: "Take optional components from a stack; the active one if no name is given",
		Example: "  proa stack remove-component k8s --image-builder",
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
	}
	wanted := map[stack.Kind]*bool{}
	for _, kind := range stack.Kinds() {
		if !kind.Required() {
			wanted[kind] = cmd.Flags().BoolP(string(kind), shorthand(kind), false, "the "+kind.Words())
		}
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var name string
		err := n.Files.Update(func(config *stack.Config) error {
			s, err := n.find(config, args)
			if err != nil {
				return err
			}
			name = s.Name
			if !slices.ContainsFunc(stack.Kinds(), func(k stack.Kind) bool { return wanted[k] != nil && *wanted[k] }) {
				return stack.Mistake("add --container-registry or --image-builder", "say which components to take from the stack %q", name)
			}
			for kind, yes := range wanted {
				if *yes {
					delete(s.Components, kind)
				}
			}
			if err := config.UpdateStack(s); err != nil {
				return err
			}
			_, err = n.validate(config, name)
			return err
		})
		if err != nil {
			return err
		}
		n.Statusf("Stack '%s' successfully updated!", name)
		return nil
	}
	return cmd
}

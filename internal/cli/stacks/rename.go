package stacks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/proa-ml/proa/internal/cli/absent"
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
	var between kit.Between
	cmd := &cobra.Command{
		Use: "copy SOURCE NEW", Short: "Register a stack with another one's components", Args: kit.Args(2, 2), ValidArgsFunction: kit.Complete(n.names),
		Long: "Register a stack with another one's components. From one profile to another the components are copied, too, unless they are\n" +
			"there already.",
		Example: "  proa stack copy default mine\n  proa stack copy k8s k8s --from team",
		RunE: func(_ *cobra.Command, args []string) error {
			err := n.Copy(between, func(from, to *stack.Config) error { return n.copyStack(from, to, args[0], args[1]) })
			if err != nil {
				return err
			}
			n.Statusf("Copied stack '%s' to '%s'.", args[0], args[1])
			return nil
		},
	}
	between.AddFlags(cmd)
	return cmd
}

// copyStack copies a stack, and those of its components that aren't there.
func (n noun) copyStack(from, to *stack.Config, source, name string) error {
	s, err := from.Stack(source)
	if err != nil {
		return err
	}
	for kind, component := range s.Components {
		c, err := from.Component(kind, component)
		if err != nil {
			return err
		}
		present, err := to.Component(kind, component)
		switch {
		case err != nil:
			err = to.AddComponent(c)
		case !c.BuiltIn && (present.Flavor != c.Flavor || !maps.Equal(present.Attributes, c.Attributes)):
			err = stack.Mistake(fmt.Sprintf("rename one of them: `proa %s rename %s NEW`", kind, component),
				"%s named %q exists there already and is another one", kind.Article(), component)
		}
		if err != nil {
			return err
		}
	}
	s.Name, s.BuiltIn = name, false
	return to.AddStack(s)
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
	addAbsent(cmd, absent.Switch)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var name string
		err := n.Files.Update(func(config *stack.Config) error {
			s, err := n.find(config, args)
			if err != nil {
				return err
			}
			name = s.Name
			if !slices.ContainsFunc(stack.Kinds(), func(k stack.Kind) bool { return wanted[k] != nil && *wanted[k] }) {
				return stack.Mistake("add --container-registry, --image-builder or --secrets-manager", "say which components to take from the stack %q", name)
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

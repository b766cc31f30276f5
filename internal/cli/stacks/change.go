package stacks

import (
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) registerCommand() *cobra.Command {
	var set bool
	cmd := &cobra.Command{Example: "  proa stack register k8s -o k8s -a s3 -m db -c reg",
		Use: "register NAME -o ORCHESTRATOR -a ARTIFACT_STORE -m METADATA_STORE", Short: "Register a stack", Args: kit.Args(1, 1)}
	flags := n.addFlags(cmd)
	cmd.Flags().BoolVar(&set, "set", false, "make it the active stack")
	decouple := addDecouple(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := stack.Stack{Name: args[0], Components: map[stack.Kind]string{}}
		flags.apply(&s)
		var warnings []string
		err := n.Files.Update(func(config *stack.Config) (err error) {
			if err := config.AddStack(s); err != nil {
				return err
			}
			warnings, err = n.validate(config, s.Name)
			return err
		})
		if err != nil {
			return err
		}
		n.warn(warnings)
		n.warnOfSecrets(cmd.Context(), s.Name)
		n.Statusf("Stack '%s' successfully registered!", s.Name)
		if *decouple {
			if err := n.decouple(cmd.Context(), s.Name); err != nil {
				return err
			}
		}
		if set {
			return n.set(s.Name, false)
		}
		return nil
	}
	return cmd
}

func (n noun) validate(config *stack.Config, name string) ([]string, error) {
	resolved, err := config.Resolve(name)
	if err != nil {
		return nil, err
	}
	return n.Catalogue.Validate(resolved)
}

func (n noun) warn(warnings []string) {
	for _, w := range warnings {
		n.Warn(w)
	}
}

func (n noun) updateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Example: "  proa stack update -o k8s\n  proa stack update k8s -c other",
		Use:     "update [NAME]", Short: "Give a stack other components; the active one if no name is given",
		Args: kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
	}
	flags := n.addFlags(cmd)
	decouple := addDecouple(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *decouple && !flags.given() {
			return n.decoupleOnly(cmd.Context(), args)
		}
		var warnings []string
		var name string
		err := n.Files.Update(func(config *stack.Config) (err error) {
			s, err := n.find(config, args)
			if err != nil {
				return err
			}
			name = s.Name
			flags.apply(&s)
			if err := config.UpdateStack(s); err != nil {
				return err
			}
			warnings, err = n.validate(config, name)
			return err
		})
		if err != nil {
			return err
		}
		n.warn(warnings)
		n.warnOfSecrets(cmd.Context(), name)
		n.Statusf("Stack '%s' successfully updated!", name)
		if *decouple {
			return n.decouple(cmd.Context(), name)
		}
		return nil
	}
	return cmd
}

// find returns the stack that is named, or the active one.
func (n noun) find(config *stack.Config, args []string) (stack.Stack, error) {
	if len(args) > 0 {
		return config.Stack(args[0])
	}
	active, err := n.Active(config)
	if err != nil {
		return stack.Stack{}, err
	}
	return config.Stack(active.Name)
}

// resolved is the stack that is named, or the active one, with its components.
func (n noun) resolved(args []string) (stack.Resolved, error) {
	config, err := n.Files.Load()
	if err != nil {
		return stack.Resolved{}, err
	}
	s, err := n.find(config, args)
	if err != nil {
		return stack.Resolved{}, err
	}
	return config.Resolve(s.Name)
}

func (n noun) setCommand() *cobra.Command {
	var global bool
	cmd := &cobra.Command{
		Example: "  proa stack set k8s\n  proa stack set k8s --global",
		Use:     "set NAME", Short: "Make a stack the active one, in this repository or, outside of any, for the user",
		Args: kit.Args(1, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error { return n.set(args[0], global) },
	}
	cmd.Flags().BoolVarP(&global, "global", "g", false, "for the user, also within a repository")
	return cmd
}

func (n noun) set(name string, global bool) error {
	repository := stack.FindRepository(n.Dir)
	if repository == nil || global {
		if err := n.Files.Update(func(config *stack.Config) error { return config.SetActive(name) }); err != nil {
			return err
		}
		n.Statusf("Active global stack set to: '%s'", name)
		return nil
	}
	config, err := n.Files.Load()
	if err != nil {
		return err
	}
	if _, err := config.Stack(name); err != nil {
		return err
	}
	if err := repository.SetActive(name); err != nil {
		return err
	}
	n.Statusf("Active stack set to: '%s'", name)
	return nil
}

func (n noun) deleteCommand() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Example: "  proa stack delete old --yes",
		Use:     "delete NAME", Short: "Forget a stack; its components stay", Args: kit.Args(1, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			if force {
				n.Warn("--force is an old spelling: write --yes")
			}
			if err := n.deletable(args[0]); err != nil {
				return err
			}
			if !yes && !force {
				if err := n.Agree(cmd.Context(), "Delete the stack '"+args[0]+"'?", "--yes"); err != nil {
					return err
				}
			}
			if err := n.Files.Update(func(config *stack.Config) error { return n.forget(config, args[0]) }); err != nil {
				return err
			}
			n.Statusf("Deleted stack '%s'.", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "what --yes was called once")
	_ = cmd.Flags().MarkHidden("force")
	return cmd
}

// deletable says, before anybody is asked, whether a stack can be deleted.
func (n noun) deletable(name string) error {
	config, err := n.Files.Load()
	if err != nil {
		return err
	}
	return n.forget(config, name)
}

func (n noun) forget(config *stack.Config, name string) error {
	active, err := n.Active(config)
	if err != nil {
		return err
	}
	return config.DeleteStack(name, active.Name)
}

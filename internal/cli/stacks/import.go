package stacks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) importCommand() *cobra.Command {
	var decouple *bool
	cmd := &cobra.Command{
		Use: "import [NAME] FILE", Short: "Register a stack and its components from a file; under another name if one is given",
		Long: "Register a stack and its components from a file; under another name if one is given. A name alone stands for the file NAME.yaml.\n" +
			"A component that is registered already is used; where another one has its name, a terminal is asked for a new name.",
		Example: "  proa stack import k8s.yaml\n  proa stack import staging k8s.yaml",
		Args:    kit.Args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := n.read(args)
			if err != nil {
				return err
			}
			if err := n.settle(cmd.Context(), &r); err != nil {
				return err
			}
			if err := n.add(cmd.Context(), r); err != nil || !*decouple {
				return err
			}
			return n.decouple(cmd.Context(), r.Name)
		},
	}
	decouple = addDecouple(cmd)
	cmd.Flags().Bool("ignore-version-mismatch", false, "accepted for those who are used to it: what is in the file is checked, not which version wrote it")
	return cmd
}

// read reads the stack that import was told of: a file, the name of a stack and a file, or a name alone, which stands for
// the file that export writes.
func (n noun) read(args []string) (stack.Resolved, error) {
	file, name := args[len(args)-1], ""
	if len(args) > 1 {
		name = args[0]
	}
	data, err := os.ReadFile(n.path(file))
	if errors.Is(err, fs.ErrNotExist) && len(args) == 1 {
		if other, otherErr := os.ReadFile(n.path(file + ".yaml")); otherErr == nil {
			file, name, data, err = file+".yaml", file, other, nil
		}
	}
	if err != nil {
		return stack.Resolved{}, fault.New(fault.Usage, "name a file made by `proa stack export`", "reading the stack: %w", err)
	}
	r, err := stack.Import(file, data)
	if name != "" {
		r.Name = name
	}
	return r, err
}

// settle asks for other names where those of an imported stack and of its components are taken by something else. Without a
// terminal they stay, and registering them tells what is taken.
func (n noun) settle(ctx context.Context, r *stack.Resolved) error {
	if !n.InTerminal {
		return nil
	}
	config, err := n.Files.Load()
	if err != nil {
		return err
	}
	for _, kind := range stack.Kinds() {
		c, ok := r.Components[kind]
		if !ok {
			continue
		}
		for taken := n.addComponent(config, c); taken != nil; taken = n.addComponent(config, c) {
			if _, err := config.Component(kind, c.Name); err != nil {
				return taken // it is not the name
			}
			if c.Name, err = n.askName(ctx, kind.Words(), taken.Error()); err != nil {
				return err
			}
		}
		r.Components[kind] = c
	}
	for {
		if _, err := config.Stack(r.Name); err != nil {
			return nil
		}
		if r.Name, err = n.askName(ctx, "stack", fmt.Sprintf("a stack named %q exists already", r.Name)); err != nil {
			return err
		}
	}
}

// askName asks for a name in place of one that is taken, until it is one.
func (n noun) askName(ctx context.Context, what, taken string) (string, error) {
	for {
		name, err := n.Ask(ctx, taken+". Another name for the one in the file:")
		if err != nil {
			return "", err
		}
		if err = stack.CheckName(what, name); err == nil {
			return name, nil
		}
		n.Statusf("  %v", err)
	}
}

// add registers an imported stack. A component that is registered already under its name is used if it is the same but
// for secrets.
func (n noun) add(ctx context.Context, r stack.Resolved) error {
	var warnings []string
	err := n.Files.Update(func(config *stack.Config) error {
		s := stack.Stack{Name: r.Name, Components: map[stack.Kind]string{}}
		for _, kind := range stack.Kinds() {
			c, ok := r.Components[kind]
			if !ok {
				continue
			}
			if err := n.addComponent(config, c); err != nil {
				return err
			}
			s.Components[kind] = c.Name
		}
		if err := config.AddStack(s); err != nil {
			return err
		}
		found, err := n.validate(config, s.Name)
		if err != nil {
			// Secrets are not in the file, so the stack may not be whole yet; a run checks it again.
			found = append(found, fmt.Sprintf("the stack can't be used yet: %v", err))
		}
		warnings = found
		return nil
	})
	if err != nil {
		return err
	}
	n.warn(warnings)
	n.warnOfSecrets(ctx, r.Name)
	n.Statusf("Stack '%s' successfully imported!", r.Name)
	return nil
}

func (n noun) addComponent(config *stack.Config, c stack.Component) error {
	f, err := n.Catalogue.Find(c.Kind, c.Flavor)
	if err != nil {
		return err
	}
	if c.Attributes, err = f.Normalize(c.Attributes); err != nil {
		return err
	}
	present, err := config.Component(c.Kind, c.Name)
	if err != nil {
		return config.AddComponent(c)
	}
	mine := n.Catalogue.Shown(present)
	maps.DeleteFunc(mine, func(_, value string) bool { return value == flavor.Masked })
	if present.Flavor != c.Flavor || !maps.Equal(mine, c.Attributes) {
		return stack.Mistake(fmt.Sprintf("rename yours (`proa %s rename %s NEW`), or the one in the file", c.Kind, c.Name),
			"%s named %q exists already and is another one", c.Kind.Article(), c.Name)
	}
	return nil
}

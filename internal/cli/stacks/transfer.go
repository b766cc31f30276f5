package stacks

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export [NAME] [FILE]", Short: "Write a stack and its components to a file, without secrets; the active stack if no name is given",
		Example: "  proa stack export k8s\n  proa stack export k8s - | less",
		Args:    kit.Args(0, 2), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			config, err := n.Files.Load()
			if err != nil {
				return err
			}
			s, err := n.find(config, args[:min(1, len(args))])
			if err != nil {
				return err
			}
			resolved, err := config.Resolve(s.Name)
			if err != nil {
				return err
			}
			left := n.withoutSecrets(resolved)
			data, err := stack.Export(resolved, n.Version)
			if err != nil {
				return err
			}
			file := s.Name + ".yaml"
			if len(args) > 1 {
				file = args[1]
			}
			return n.write(s.Name, file, data, left)
		},
	}
}

// withoutSecrets takes the secret attributes out of a stack and names them.
func (n noun) withoutSecrets(r stack.Resolved) []string {
	var left []string
	for _, kind := range stack.Kinds() {
		c, ok := r.Components[kind]
		if !ok {
			continue
		}
		shown := n.Catalogue.Shown(c)
		for name, value := range shown {
			if value == flavor.Masked {
				delete(shown, name)
				left = append(left, fmt.Sprintf("%s of %s %s", name, kind.Words(), c.Name))
			}
		}
		c.Attributes = shown
		r.Components[kind] = c
	}
	return left
}

func (n noun) write(name, file string, data []byte, left []string) error {
	if file == "-" {
		_, err := n.Out.Write(data)
		return err
	}
	if err := os.WriteFile(n.path(file), data, 0o600); err != nil {
		return fault.New(fault.Usage, "name another file", "writing the stack: %w", err)
	}
	n.Statusf("Exported stack '%s' to %s.", name, file)
	if len(left) > 0 {
		n.Statusf("Secrets are not in it; whoever imports it adds: %s.", strings.Join(left, ", "))
	}
	return nil
}

func (n noun) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(n.Dir, file)
}

func (n noun) importCommand() *cobra.Command {
	var decouple *bool
	cmd := &cobra.Command{
		Use: "import [NAME] FILE", Short: "Register a stack and its components from a file; under another name if one is given",
		Example: "  proa stack import k8s.yaml\n  proa stack import staging k8s.yaml",
		Args:    kit.Args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := args[len(args)-1]
			data, err := os.ReadFile(n.path(file))
			if err != nil {
				return fault.New(fault.Usage, "name a file made by `proa stack export`", "reading the stack: %w", err)
			}
			r, err := stack.Import(file, data)
			if err != nil {
				return err
			}
			if len(args) > 1 {
				r.Name = args[0]
			}
			if err := n.add(cmd.Context(), r); err != nil || !*decouple {
				return err
			}
			return n.decouple(cmd.Context(), r.Name)
		},
	}
	decouple = addDecouple(cmd)
	return cmd
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

package stacks

import (
	"fmt"
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
			resolved, err := n.resolved(args[:min(1, len(args))])
			if err != nil {
				return err
			}
			left := n.withoutSecrets(resolved)
			data, err := stack.Export(resolved, n.Version)
			if err != nil {
				return err
			}
			file := resolved.Name + ".yaml"
			if len(args) > 1 {
				file = args[1]
			}
			return n.write(resolved.Name, file, data, left)
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

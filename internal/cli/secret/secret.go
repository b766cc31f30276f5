// Package secret is the command `proa secret`: what the secrets manager of the active stack keeps.
package secret

import (
	"context"
	"fmt"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/secrets"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("secret", "Keep credentials for components and steps, in the active stack's secrets manager",
		n.createCommand(), n.listCommand(), n.getCommand(), n.updateCommand(), n.deleteCommand())
}

// NewFormer makes `proa secrets-manager secret`, which is how ZenML spelt it.
func NewFormer(k *kit.Kit) *cobra.Command {
	cmd := New(k)
	cmd.Hidden = true
	for _, sub := range cmd.Commands() {
		if sub.Name() == "create" || sub.Name() == "update" {
			sub.Flags().StringP(schema, "s", "", "what keys the secret has to have there")
			_ = sub.Flags().MarkHidden(schema)
		}
	}
	return cmd
}

// schema is a flag that has no meaning here: what refers to a secret says which keys it takes.
const schema = "schema"

// manager is the secrets manager of the active stack.
func (n noun) manager(ctx context.Context) (*secrets.Manager, error) {
	s, err := n.StackToRead()
	if err != nil {
		return nil, err
	}
	return n.Opener.Secrets(ctx, s)
}

// names completes the names of secrets.
func (n noun) names(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	m, err := n.manager(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names, err := m.Names(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

const valuesHelp = "A value @PATH is read from a file, @- from the standard input; @@ stands for one @. What is typed as a value itself is\n" +
	"seen by every user of this machine while the command runs, and stays in the shell's history."

// values reads a command's --key=value pairs. The command has its flag parsing disabled; done is true if help was asked for.
func (n noun) values(cmd *cobra.Command, args []string) (positional []string, values map[string]string, done bool, err error) {
	if err := whole(cmd.Flags(), args); err != nil {
		return nil, nil, false, err
	}
	positional, values, done, err = kit.ParseAttributes(cmd, args)
	if err != nil || done {
		return nil, nil, done, err
	}
	if err := kit.Args(1, 1)(cmd, positional); err != nil {
		return nil, nil, false, err
	}
	if f := cmd.Flags().Lookup(schema); f != nil && f.Changed {
		n.Warn("a secret has no schema here, only its keys: leave --schema away")
	}
	return positional, values, false, n.Expand(values)
}

// whole refuses a key without a value. Elsewhere that means "true", which is no secret.
func whole(flags *pflag.FlagSet, args []string) error {
	for _, arg := range args {
		key, isKey := strings.CutPrefix(arg, "--")
		if isKey && key != "" && !strings.Contains(key, "=") && flags.Lookup(key) == nil && key != "help" {
			return fault.New(fault.Usage, fmt.Sprintf("write --%s=VALUE, or --%[1]s=@- to read it from the standard input", key), "the key %q has no value", key)
		}
	}
	return nil
}

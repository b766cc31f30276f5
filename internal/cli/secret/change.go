package secret

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/spf13/cobra"
)

func (n noun) createCommand() *cobra.Command {
	var ask bool
	cmd := &cobra.Command{
		Use: "create NAME --KEY=VALUE ...", Aliases: []string{"register"}, Short: "Keep a new secret",
		Long:               "Keep a new secret of one or more keys with their values.\n\n" + valuesHelp,
		Example:            "  proa secret create database --user=proa --password=@-\n  proa secret create tls --key=@client.pem",
		DisableFlagParsing: true,
	}
	cmd.Flags().BoolVarP(&ask, "interactive", "i", false, "ask for keys and values")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		positional, values, done, err := n.values(cmd, args)
		if err != nil || done {
			return err
		}
		m, err := n.manager(cmd.Context())
		if err != nil {
			return err
		}
		if ask {
			if err := n.askNew(cmd.Context(), positional[0], values); err != nil {
				return err
			}
		}
		if err := m.Create(cmd.Context(), positional[0], values); err != nil {
			return err
		}
		n.Statusf("Secret '%s' successfully created!", positional[0])
		return nil
	}
	return cmd
}

func (n noun) updateCommand() *cobra.Command {
	var remove []string
	var ask bool
	cmd := &cobra.Command{
		Use: "update NAME --KEY=VALUE ...", Short: "Set keys of a secret; the others stay",
		Long:               "Set keys of a secret, and take away those that --remove names. The others stay.\n\n" + valuesHelp,
		Example:            "  proa secret update database --password=@new-password.txt\n  proa secret update database --remove=user",
		DisableFlagParsing: true,
		ValidArgsFunction:  n.names,
	}
	cmd.Flags().BoolVarP(&ask, "interactive", "i", false, "ask for the values of the keys that the secret has")
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "a key to take away")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		positional, values, done, err := n.values(cmd, args)
		if err != nil || done {
			return err
		}
		if len(values)+len(remove) == 0 && !ask {
			return fault.New(fault.Usage, "usage: "+cmd.UseLine(), "say which key to set, or to take away with --remove")
		}
		m, err := n.manager(cmd.Context())
		if err != nil {
			return err
		}
		if ask {
			present, err := m.Get(cmd.Context(), positional[0])
			if err != nil {
				return err
			}
			if err := n.askChanges(cmd.Context(), positional[0], present, values); err != nil {
				return err
			}
		}
		if err := m.Update(cmd.Context(), positional[0], values, remove); err != nil {
			return err
		}
		n.Statusf("Secret '%s' successfully updated!", positional[0])
		return nil
	}
	return cmd
}

func (n noun) deleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Forget a secret, for good", Args: kit.Args(1, 1), ValidArgsFunction: n.names,
		Example: "  proa secret delete database --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := n.Agree(cmd.Context(), fmt.Sprintf("Delete the secret '%s'?", args[0]), "--yes"); err != nil {
					return err
				}
			}
			m, err := n.manager(cmd.Context())
			if err != nil {
				return err
			}
			if err := m.Delete(cmd.Context(), args[0]); err != nil {
				return err
			}
			n.Statusf("Deleted secret '%s'.", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

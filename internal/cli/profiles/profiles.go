// Package profiles is the command `proa profile`: sets of stacks that know nothing of each other.
package profiles

import (
	"context"
	"fmt"
	"os"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/absent"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("profile", "Keep sets of stacks apart from each other",
		n.createCommand(), n.listCommand(), n.getCommand(), n.setCommand(), n.describeCommand(), n.deleteCommand())
}

// described is a profile as programs read it.
type described struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
	// Config is where its stacks are kept, Data where its built-in stack keeps its data.
	Config string `json:"config"`
	Data   string `json:"data"`
	// Stacks are the names of its stacks, ActiveStack the one that is active in it.
	Stacks      []string `json:"stacks"`
	ActiveStack string   `json:"activeStack"`
}

func (n noun) describe(name string) (described, error) {
	d := described{Name: name, Active: name == n.Profile.Name, Config: n.Profiles.Folder(name), Data: n.data(name)}
	config, err := stack.Files{Dir: d.Config, BuiltIn: n.Files.BuiltIn}.Load()
	if err != nil {
		return d, err
	}
	for _, s := range config.Stacks() {
		d.Stacks = append(d.Stacks, s.Name)
	}
	d.ActiveStack = config.Active()
	if d.Active {
		active, err := n.Active(config)
		if err != nil {
			return d, err
		}
		d.ActiveStack = active.Name
	}
	return d, nil
}

func (n noun) data(name string) string { return kit.ProfileData(kit.DataDir(n.Env), name) }

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa profile list",
		Use:     "list", Short: "List profiles", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			names, err := n.Profiles.Names()
			if err != nil {
				return err
			}
			table := output.Table{Header: []string{"ACTIVE", "PROFILE NAME", "STACKS", "ACTIVE STACK"}, Names: names}
			all := []described{}
			for _, name := range names {
				d, err := n.describe(name)
				if err != nil {
					return err
				}
				all = append(all, d)
				table.Rows = append(table.Rows, []string{output.Mark(d.Active), name, fmt.Sprint(len(d.Stacks)), d.ActiveStack})
			}
			return output.Print(n.Streams, format, all, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) describeCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa profile describe\n  proa profile describe work -o json",
		Use:     "describe [NAME]", Short: "Show a profile and where it is kept; the active one if no name is given",
		Args: kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			name, err := n.chosen(args)
			if err != nil {
				return err
			}
			d, err := n.describe(name)
			if err != nil {
				return err
			}
			n.Statusf("Profile '%s' (%s)", d.Name, map[bool]string{true: "active, " + n.Profile.Scope(), false: "not active"}[d.Active])
			table := output.Table{Header: []string{"STACK", "ACTIVE"}, Names: []string{d.Name}}
			for _, s := range d.Stacks {
				table.Rows = append(table.Rows, []string{s, output.Mark(s == d.ActiveStack)})
			}
			if format.ForPeople() {
				n.Statusf("Its stacks are kept in %s, the data of its built-in stack in %s.", d.Config, d.Data)
			}
			return output.Print(n.Streams, format, d, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// chosen returns the profile that is named, or the active one.
func (n noun) chosen(args []string) (string, error) {
	if len(args) == 0 {
		return n.Profile.Name, n.Profile.Err
	}
	return args[0], n.Profiles.Check(args[0])
}

func (n noun) getCommand() *cobra.Command {
	return &cobra.Command{
		Example: "  proa profile get",
		Use:     "get", Short: "Print the active profile's name", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if n.Profile.Err != nil {
				return n.Profile.Err
			}
			n.Statusf("The active profile is: '%s' (%s)", n.Profile.Name, n.Profile.Scope())
			_, err := fmt.Fprintln(n.Out, n.Profile.Name)
			return err
		},
	}
}

func (n noun) createCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a profile, which has the built-in stack alone",
		Long: "Make a profile, which has the built-in stack alone. Its stacks, its components and the data of its built-in stack are its\n" +
			"own. `proa profile set` makes it the active one.",
		Example: "  proa profile create work",
		Args:    kit.Args(1, 1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := n.Profiles.Create(args[0]); err != nil {
				return err
			}
			n.Statusf("Profile '%s' successfully created! Make it active with `proa profile set %s`.", args[0], args[0])
			return nil
		},
	}
	const why = "profiles are files here, in no other store: `proa config` shows where; `proa stack export` passes a stack on"
	absent.Flag(cmd, "url", "u", why)
	absent.Flag(cmd, "store-type", "t", why)
	return cmd
}

func (n noun) setCommand() *cobra.Command {
	var global bool
	cmd := &cobra.Command{
		Example: "  proa profile set work\n  proa profile set work --global",
		Use:     "set NAME", Short: "Make a profile the active one, in this repository or, outside of any, for the user",
		Args: kit.Args(1, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if err := n.Profiles.Check(name); err != nil {
				return err
			}
			repository := stack.FindRepository(n.Dir)
			if repository == nil || global {
				if err := n.Profiles.SetActive(name); err != nil {
					return err
				}
				n.Statusf("Active global profile set to: '%s'", name)
				return nil
			}
			if err := repository.SetProfile(name); err != nil {
				return err
			}
			n.Statusf("Active profile of repository %s set to: '%s'", repository.Root, name)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&global, "global", "g", false, "for the user, not for this repository")
	return cmd
}

func (n noun) deleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a profile: its stacks, its components and the data of its built-in stack",
		Example: "  proa profile delete work\n  proa profile delete work --yes",
		Args:    kit.Args(1, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if err := n.deletable(name); err != nil {
				return err
			}
			if !yes {
				if err := n.confirm(cmd.Context(), name); err != nil {
					return err
				}
			}
			if err := n.Profiles.Delete(name); err != nil {
				return err
			}
			if data := n.data(name); data != "" {
				if err := os.RemoveAll(data); err != nil {
					return fault.New(fault.Configuration, "remove the folder yourself", "removing the profile's data: %w", err)
				}
			}
			n.Statusf("Deleted profile '%s'.", name)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

// deletable says what keeps a profile from being deleted.
func (n noun) deletable(name string) error {
	if err := n.Profiles.Check(name); err != nil {
		return err
	}
	global, err := n.Profiles.Active()
	switch {
	case err != nil:
		return err
	case name == stack.DefaultName:
		return stack.Mistake("`proa clean` removes the data of its built-in stack", "the profile %q is built in and can't be deleted", name)
	case name == n.Profile.Name:
		return stack.Mistake("make another one active first: `proa profile set default`", "the profile %q is active", name)
	case name == global:
		return stack.Mistake("make another one active first: `proa profile set default --global`", "the profile %q is the active one of this user", name)
	}
	return nil
}

func (n noun) confirm(ctx context.Context, name string) error {
	d, err := n.describe(name)
	if err != nil {
		return err
	}
	return n.Agree(ctx, fmt.Sprintf("Delete the profile '%s' with %s, and all data in %s?", name, inspect.Count(len(d.Stacks), "stack"), d.Data), "--yes")
}

func (n noun) names() []string {
	names, err := n.Profiles.Names()
	if err != nil {
		return nil
	}
	return names
}

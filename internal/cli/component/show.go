package component

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// shown is a component as programs read it.
type shown struct {
	Name       string            `json:"name"`
	Kind       stack.Kind        `json:"kind"`
	Flavor     string            `json:"flavor"`
	Active     bool              `json:"active"`
	Attributes map[string]string `json:"attributes"`
	Stacks     []string          `json:"stacks"`
}

// show describes a component; users are the stacks that use it.
func (n noun) show(active kit.Active, c stack.Component, users []string) shown {
	if users == nil {
		users = []string{}
	}
	return shown{
		Name: c.Name, Kind: c.Kind, Flavor: c.Flavor, Active: slices.Contains(users, active.Name),
		Attributes: n.Catalogue.Shown(c), Stacks: users,
	}
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: fmt.Sprintf("  proa %s list\n  proa %[1]s list -o json", n.kind),
		Use:     "list", Short: "List " + n.kind.Plural(), Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			config, active, err := n.Load()
			if err != nil {
				return err
			}
			n.WarnOf(config, config.Components(n.kind)...)
			all := []shown{}
			table := output.Table{Header: []string{"ACTIVE", "NAME", "FLAVOR", "ATTRIBUTES"}}
			usage := config.Usage(n.kind)
			for _, c := range config.Components(n.kind) {
				s := n.show(active, c, usage[c.Name])
				all = append(all, s)
				table.Rows = append(table.Rows, []string{output.Mark(s.Active), s.Name, s.Flavor, kit.Pairs(s.Attributes)})
				table.Names = append(table.Names, s.Name)
			}
			if len(all) == 0 {
				n.Statusf("No %s registered. Register one with `proa %s register NAME --flavor=FLAVOR --key=value`.", n.kind.Words(), n.kind)
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
		Example: fmt.Sprintf("  proa %s describe\n  proa %[1]s describe NAME -o yaml", n.kind),
		Use:     "describe [NAME]", Short: fmt.Sprintf("Show %s; the active stack's if no name is given", n.kind.Article()),
		Args: kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			config, active, c, err := n.load(args)
			if err != nil {
				return err
			}
			n.WarnOf(config, c)
			s := n.show(active, c, config.Users(c.Kind, c.Name))
			return output.Print(n.Streams, format, s, describe(s))
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func describe(s shown) output.Table {
	table := output.Table{Names: []string{s.Name}, Header: []string{"FIELD", "VALUE"}, Rows: [][]string{
		{"name", s.Name}, {"kind", string(s.Kind)}, {"flavor", s.Flavor}, {"stacks", strings.Join(s.Stacks, ", ")},
	}}
	for _, key := range slices.Sorted(maps.Keys(s.Attributes)) {
		table.Rows = append(table.Rows, []string{"attribute " + key, s.Attributes[key]})
	}
	return table
}

func (n noun) getCommand() *cobra.Command {
	return &cobra.Command{
		Example: fmt.Sprintf("  proa %s get", n.kind),
		Use:     "get", Short: fmt.Sprintf("Print the name of the active stack's %s", n.kind.Words()), Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			config, active, err := n.Load()
			if err != nil {
				return err
			}
			name, err := n.named(config, active, nil)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(n.Out, name)
			return err
		},
	}
}

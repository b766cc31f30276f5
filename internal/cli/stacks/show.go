package stacks

import (
	"fmt"
	"strings"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// listed is a stack as programs read it in a list.
type listed struct {
	stack.Stack
	Active bool `json:"active"`
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa stack list\n  proa stack list -o name",
		Use:     "list", Short: "List stacks", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			config, active, err := n.Load()
			if err != nil {
				return err
			}
			for _, kind := range stack.Kinds() {
				n.WarnOf(config, config.Components(kind)...)
			}
			n.WarnOfStacks(config, active)
			table := output.Table{Header: []string{"ACTIVE", "STACK NAME"}}
			for _, kind := range stack.Kinds() {
				table.Header = append(table.Header, strings.ToUpper(kind.Words()))
			}
			var all []listed
			for _, s := range config.Stacks() {
				all = append(all, listed{s, s.Name == active.Name})
				table.Rows = append(table.Rows, row(s, s.Name == active.Name))
				table.Names = append(table.Names, s.Name)
			}
			return output.Print(n.Streams, format, all, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func row(s stack.Stack, active bool) []string {
	cells := []string{output.Mark(active), s.Name}
	for _, kind := range stack.Kinds() {
		cells = append(cells, s.Components[kind])
	}
	return cells
}

// described is a stack with its components as programs read it.
type described struct {
	Name       string                         `json:"name"`
	Active     bool                           `json:"active"`
	Components map[stack.Kind]stack.Component `json:"components"`
}

func (n noun) describeCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa stack describe\n  proa stack describe k8s -o yaml",
		Use:     "describe [NAME]", Short: "Show a stack's components; the active stack's if no name is given",
		Args: kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			config, active, err := n.Load()
			if err != nil {
				return err
			}
			s, err := n.find(config, args)
			if err != nil {
				return err
			}
			resolved, err := config.Resolve(s.Name)
			if err != nil {
				return err
			}
			d := described{s.Name, s.Name == active.Name, map[stack.Kind]stack.Component{}}
			table := output.Table{Names: []string{s.Name}, Header: []string{"KIND", "NAME", "FLAVOR", "ATTRIBUTES"}}
			for _, kind := range stack.Kinds() {
				c, ok := resolved.Components[kind]
				if !ok {
					continue
				}
				n.WarnOf(config, c)
				c.Attributes = n.Catalogue.Shown(c)
				d.Components[kind] = c
				table.Rows = append(table.Rows, []string{string(kind), c.Name, c.Flavor, kit.Pairs(c.Attributes)})
			}
			n.Statusf("Stack '%s' (%s)", s.Name, state(d.Active))
			return output.Print(n.Streams, format, d, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func state(active bool) string {
	if active {
		return "active"
	}
	return "not active"
}

func (n noun) getCommand() *cobra.Command {
	return &cobra.Command{
		Example: "  proa stack get",
		Use:     "get", Short: "Print the active stack's name", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, active, err := n.Load()
			if err != nil {
				return err
			}
			n.Statusf("The active stack is: '%s' (%s)", active.Name, active.Scope())
			_, err = fmt.Fprintln(n.Out, active.Name)
			return err
		},
	}
}

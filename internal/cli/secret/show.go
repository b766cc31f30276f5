package secret

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// listed is a secret as programs read it in a list.
type listed struct {
	Name string   `json:"name"`
	Keys []string `json:"keys"`
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "list", Short: "List the secrets and their keys", Args: kit.Args(0, 0),
		Example: "  proa secret list\n  proa secret list -o name",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			m, err := n.manager(ctx)
			if err != nil {
				return err
			}
			names, err := m.Names(ctx)
			if err != nil {
				return err
			}
			all, table := []listed{}, output.Table{Header: []string{"NAME", "KEYS"}}
			for _, name := range names {
				values, ok, err := m.Lookup(ctx, name)
				if err != nil {
					return err
				}
				if !ok { // deleted meanwhile
					continue
				}
				keys := slices.Sorted(maps.Keys(values))
				all = append(all, listed{name, keys})
				table.Rows = append(table.Rows, []string{name, strings.Join(keys, " ")})
			}
			if len(all) == 0 {
				n.Statusf("No secret is kept in the secrets manager '%s'. Create one with `proa secret create NAME --KEY=@-`.", m.Name())
			}
			return output.Print(n.Streams, format, all, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// shown is a secret as programs read it.
type shown struct {
	Name   string            `json:"name"`
	Values map[string]string `json:"values"`
}

func (n noun) getCommand() *cobra.Command {
	var format output.Format
	var show bool
	cmd := &cobra.Command{
		Use: "get NAME [KEY]", Short: "Show a secret's keys; its values only with --show",
		Long: "Show a secret's keys; its values only with --show. With a key, --show prints that value alone, as it is.",
		Args: kit.Args(1, 2), ValidArgsFunction: n.names,
		Example: "  proa secret get database\n  proa secret get database password --show",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := n.manager(cmd.Context())
			if err != nil {
				return err
			}
			values, err := m.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(args) > 1 {
				if values, err = only(args[0], args[1], values); err != nil {
					return err
				}
				if show && format == "" {
					_, err := fmt.Fprintln(n.Out, values[args[1]])
					return err
				}
			}
			return n.print(format, args[0], values, show)
		},
	}
	cmd.Flags().BoolVar(&show, "show", false, "show the values")
	output.AddFlag(cmd, &format)
	return cmd
}

func only(name, key string, values map[string]string) (map[string]string, error) {
	value, ok := values[key]
	if !ok {
		return nil, stack.Mistake("", "the secret %q has no key %q; it has: %s", name, key, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	}
	return map[string]string{key: value}, nil
}

func (n noun) print(format output.Format, name string, values map[string]string, show bool) error {
	s := shown{name, map[string]string{}}
	table := output.Table{Header: []string{"KEY", "VALUE"}, Names: []string{name}}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := flavor.Masked
		if show {
			value = values[key]
		}
		s.Values[key] = value
		table.Rows = append(table.Rows, []string{key, value})
	}
	return output.Print(n.Streams, format, s, table)
}

package kit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/spf13/cobra"
)

// Group makes a command that only holds others.
func Group(use, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return UnknownCommand(cmd, args[0])
		},
	}
	group.AddCommand(commands...)
	return group
}

// UnknownCommand is the error for a word that is none of a command's subcommands.
func UnknownCommand(cmd *cobra.Command, word string) error {
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	if near := strict.Nearest(word, known); near != "" {
		hint = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), near)
	}
	return fault.New(fault.Usage, hint, "%s has no command %q; known: %s", cmd.CommandPath(), word, strings.Join(known, ", "))
}

// Args checks the number of arguments; a negative most means any number.
func Args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		problem := ""
		switch {
		case len(args) < least:
			problem = fmt.Sprintf("%s needs more arguments", cmd.CommandPath())
		case most >= 0 && len(args) > most:
			problem = fmt.Sprintf("%s doesn't expect the argument %q", cmd.CommandPath(), args[most])
		default:
			return nil
		}
		return fault.New(fault.Usage, "usage: "+cmd.UseLine(), "%s", problem)
	}
}

// Complete makes shell completion from a function that lists candidates.
func Complete(candidates func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return candidates(), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteAsking makes shell completion of one argument from a function that asks a store or a cluster. Where it fails or
// takes too long, nothing is completed.
func CompleteAsking(candidates func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return CompleteAskingUpTo(1, candidates)
}

// CompleteAskingUpTo is CompleteAsking for the first arguments, as many as most says.
func CompleteAskingUpTo(most int, candidates func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		names, err := candidates(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// Pairs prints a map on one line, in the order of its keys.
func Pairs(m map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+"="+m[key])
	}
	return strings.Join(all, " ")
}

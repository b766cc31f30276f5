package stacks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/secrets"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// registerSecretsCommand makes `proa stack register-secrets`.
func (n noun) registerSecretsCommand() *cobra.Command {
	var skip bool
	cmd := &cobra.Command{
		Use: "register-secrets [NAME] [--SECRET.KEY=VALUE ...]", Short: "Keep what the components of a stack refer to; the active stack if no name is given",
		Long: "Ask for each key of a secret that the components of a stack refer to, and keep it in the stack's secrets manager. The\n" +
			"active stack if no name is given. An answer, or a value, @PATH is read from a file, @- from the standard input.",
		Example:            "  proa stack register-secrets k8s --skip-existing\n  proa stack register-secrets k8s --database.password=@-",
		DisableFlagParsing: true,
		ValidArgsFunction:  kit.Complete(n.names),
	}
	cmd.Flags().BoolVar(&skip, "skip-existing", false, "don't ask for what is kept already")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		positional, given, done, err := kit.ParseAttributes(cmd, args)
		if err != nil || done {
			return err
		}
		if err := kit.Args(0, 1)(cmd, positional); err != nil {
			return err
		}
		if err := n.Expand(given); err != nil {
			return err
		}
		return n.registerSecrets(cmd.Context(), positional, given, skip)
	}
	return cmd
}

func (n noun) registerSecrets(ctx context.Context, args []string, given map[string]string, skip bool) error {
	r, err := n.resolved(args)
	if err != nil {
		return err
	}
	manager, err := n.Opener.Secrets(ctx, r)
	if err != nil {
		return err
	}
	wanted, err := n.wanted(r, given)
	if err != nil {
		return err
	}
	if len(wanted) == 0 {
		n.Statusf("No component of the stack '%s' refers to a secret.", r.Name)
		return nil
	}
	answers, err := n.answers(ctx, manager, wanted, given, skip)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		if err := manager.Set(ctx, name, answers[name]); err != nil {
			return err
		}
		n.Statusf("Kept %s of the secret '%s'.", strings.Join(slices.Sorted(maps.Keys(answers[name])), ", "), name)
	}
	if len(answers) == 0 {
		n.Statusf("All that the stack '%s' refers to is kept already.", r.Name)
	}
	return nil
}

// wanted lists the keys that a stack refers to, each once, and refuses what is given but not referred to. A secret that is
// referred to as a whole can have any of its keys given.
func (n noun) wanted(r stack.Resolved, given map[string]string) ([]flavor.Use, error) {
	var all []flavor.Use
	known := map[string]bool{}
	for _, use := range n.Catalogue.Uses(r) {
		if use.Key != "" && !known[flagOf(use)] {
			known[flagOf(use)] = true
			all = append(all, use)
		}
		for key := range n.Catalogue.Keys(r.Components[use.Kind], use) {
			whole := use
			if whole.Key = key; !known[flagOf(whole)] && given[flagOf(whole)] != "" {
				known[flagOf(whole)] = true
				all = append(all, whole)
			}
		}
	}
	for name := range given {
		if !known[name] {
			return nil, fault.New(fault.Usage, "referred to are: "+orNothing(slices.Sorted(maps.Keys(known))), "no component of the stack %q refers to %q", r.Name, name)
		}
	}
	return all, nil
}

func flagOf(use flavor.Use) string { return use.Secret + "." + use.Key }

func orNothing(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// answers are the values that are given or asked for, by secret and key.
func (n noun) answers(ctx context.Context, m *secrets.Manager, wanted []flavor.Use, given map[string]string, skip bool) (map[string]map[string]string, error) {
	missing, err := flavor.Missing(ctx, m, wanted)
	if err != nil {
		return nil, err
	}
	answers := map[string]map[string]string{}
	for _, use := range wanted {
		kept := !slices.Contains(missing, use)
		value, ok := given[flagOf(use)]
		if !ok && (kept && skip) {
			continue
		}
		if !ok {
			if value, err = n.askValue(ctx, use, kept); err != nil {
				return nil, err
			}
			if value == "" {
				continue
			}
		}
		if answers[use.Secret] == nil {
			answers[use.Secret] = map[string]string{}
		}
		answers[use.Secret][use.Key] = value
	}
	return answers, nil
}

// askValue asks for the value of a key; an empty answer leaves it as it is.
func (n noun) askValue(ctx context.Context, use flavor.Use, kept bool) (string, error) {
	if !n.InTerminal {
		return "", fault.New(fault.Usage, fmt.Sprintf("give it with --%s=@-, which reads the standard input, or =@FILE", flagOf(use)),
			"there is no terminal to ask on for %s", use)
	}
	question := fmt.Sprintf("Value of %s (not shown; @FILE reads a file; nothing leaves it out):", use)
	if kept {
		question = fmt.Sprintf("Value of %s (not shown; @FILE reads a file; nothing keeps the present one):", use)
	}
	answer, err := n.AskSecret(ctx, question)
	if err != nil {
		return "", err
	}
	expanded := map[string]string{flagOf(use): answer}
	err = n.Expand(expanded)
	return expanded[flagOf(use)], err
}

// warnOfSecrets tells which secrets a stack refers to that aren't kept.
func (n noun) warnOfSecrets(ctx context.Context, name string) {
	if r, err := n.resolved([]string{name}); err == nil {
		n.WarnOfSecrets(ctx, r, name)
	}
}

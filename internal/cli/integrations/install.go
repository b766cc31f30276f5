package integrations

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/proa-ml/proa/integration"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/spf13/cobra"
)

func (n noun) installCommand() *cobra.Command {
	var yes bool
	var ignored []string
	cmd := &cobra.Command{
		Use: "install [NAME...]", Short: "Install libraries into the active Python environment; check what is built in",
		Long: "Install the libraries of integrations into the environment of the Python that proa uses, all of them without a name.\n" +
			"What is built in needs no installing: its components in the active stack are checked instead.",
		Example: "  proa integration install kubernetes\n  proa integration install sklearn pandas -y",
		Args:    kit.Args(0, -1), ValidArgsFunction: complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := choose(args, ignored)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if _, err := integration.Requirements(names(chosen)...); err != nil {
					return explain(err) // before anything is installed
				}
			}
			if err := n.builtIn(cmd.Context(), chosen); err != nil {
				return err
			}
			return n.change(cmd.Context(), change{verb: "install", done: "Installed", yes: yes}, chosen)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	cmd.Flags().StringArrayVarP(&ignored, "ignore-integration", "i", nil, "leave this one out; may be repeated")
	return cmd
}

func (n noun) uninstallCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "uninstall NAME...", Short: "Uninstall libraries from the active Python environment",
		Example: "  proa integration uninstall lightgbm -y",
		Args:    kit.Args(1, -1), ValidArgsFunction: complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := choose(args, nil)
			if err != nil {
				return err
			}
			for _, one := range chosen {
				if one.State == integration.BuiltIn {
					return fault.New(fault.Usage, "", "the integration %q is built in and can't be uninstalled", one.Name)
				}
			}
			return n.change(cmd.Context(), change{verb: "uninstall", done: "Uninstalled", yes: yes, bare: true}, chosen)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

func (n noun) upgradeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "upgrade NAME...", Short: "Install the newest versions of libraries that their requirements allow",
		Example: "  proa integration upgrade sklearn -y",
		Args:    kit.Args(1, -1), ValidArgsFunction: complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := choose(args, nil)
			if err != nil {
				return err
			}
			return n.change(cmd.Context(), change{verb: "install", option: "--upgrade", done: "Upgraded", yes: yes}, chosen)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

// change is what is done to the packages of an environment.
type change struct {
	verb, option, done string
	yes                bool
	// bare says that packages are named without their versions.
	bare bool
}

// change shows the command that does it, asks, and runs it.
func (n noun) change(ctx context.Context, c change, chosen []integration.Integration) error {
	packages, err := integration.Requirements(names(chosen)...)
	if err != nil {
		return explain(err)
	}
	if c.bare {
		packages = nil
		for _, one := range chosen {
			packages = append(packages, one.Packages()...)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	environment, err := n.environment(ctx)
	if err != nil {
		return err
	}
	argv := pyenv.Pip(environment, c.verb)
	if c.option != "" {
		argv = append(argv, c.option)
	}
	argv = append(argv, packages...)
	n.Statusf("+ %s", shell(argv))
	if !c.yes {
		if err := n.Agree(ctx, fmt.Sprintf("Run this to %s packages of %s?", c.verb, environment.Interpreter), "--yes"); err != nil {
			return err
		}
	}
	if err := n.execute(ctx, argv); err != nil {
		return err
	}
	n.Statusf("%s: %s.", c.done, strings.Join(packages, ", "))
	return nil
}

// execute runs a command. What it prints is no data of ours.
func (n noun) execute(ctx context.Context, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = n.Dir, n.Environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = n.In, n.Err, n.Err
	if err := cmd.Run(); err != nil {
		return fault.New(fault.Infrastructure, "see its message above; a virtual environment is changed freely: python -m venv .venv && . .venv/bin/activate",
			"%s failed: %w", argv[0], err)
	}
	return nil
}

// shell writes a command as one would type it.
func shell(argv []string) string {
	var quoted []string
	for _, word := range argv {
		if strings.ContainsAny(word, " <>!;[]*'\"$") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		quoted = append(quoted, word)
	}
	return strings.Join(quoted, " ")
}

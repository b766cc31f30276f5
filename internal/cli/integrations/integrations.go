// Package integrations is the command `proa integration`: what is built in, and the Python libraries that steps use.
package integrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/integration"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("integration", "Show what is built in, and install Python libraries that steps use",
		n.listCommand(), n.requirementsCommand(), n.installCommand(), n.uninstallCommand(), n.upgradeCommand())
}

// listed is an integration as programs read it.
type listed struct {
	integration.Integration
	// Installed are the versions that the environment has of a library's packages.
	Installed map[string]string `json:"installed,omitempty"`
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "list", Short: "List what is built in, and which Python libraries are installed",
		Long: "List what is built in, and which Python libraries are installed in the environment of the Python that proa uses.\n" +
			"Types of a library without a materializer of its own are pickled.",
		Example: "  proa integration list\n  proa integration list -o json",
		Args:    kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := integration.All()
			if err != nil {
				return err
			}
			installed := n.installed(cmd.Context(), all)
			table := output.Table{Header: []string{"INTEGRATION", "STATE", "REQUIREMENTS", "ABOUT"}}
			shown := []listed{}
			for _, one := range all {
				if one.State == integration.Absent {
					continue
				}
				l := listed{Integration: one}
				for _, name := range one.Packages() {
					if version, ok := installed[name]; ok {
						if l.Installed == nil {
							l.Installed = map[string]string{}
						}
						l.Installed[name] = version
					}
				}
				shown = append(shown, l)
				table.Rows = append(table.Rows, []string{one.Name, l.state(), strings.Join(one.Requirements, " "), one.About})
			}
			return output.Print(n.Streams, format, shown, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (l listed) state() string {
	switch {
	case l.State == integration.BuiltIn:
		return "built in"
	case len(l.Installed) == len(l.Requirements):
		return "installed"
	case len(l.Installed) > 0:
		return "installed in part"
	}
	return ""
}

// installed asks the environment for the versions of all libraries. Without a Python there are none.
func (n noun) installed(ctx context.Context, all []integration.Integration) map[string]string {
	var packages []string
	for _, one := range all {
		packages = append(packages, one.Packages()...)
	}
	environment, err := n.environment(ctx, packages...)
	if err != nil {
		n.Warn("what is installed is not known: " + err.Error())
	}
	return environment.Packages
}

func (n noun) environment(ctx context.Context, packages ...string) (pyenv.Environment, error) {
	interpreter, err := pyenv.Find(n.Kit)
	if err != nil {
		return pyenv.Environment{}, err
	}
	return pyenv.Ask(ctx, n.Kit, interpreter, packages...)
}

func (n noun) requirementsCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "requirements [NAME...]", Short: "Print what pip would install, one requirement a line; of all libraries without a name",
		Example: "  proa integration requirements sklearn pandas >> requirements.txt",
		Args:    kit.Args(0, -1), ValidArgsFunction: complete,
		RunE: func(_ *cobra.Command, args []string) error {
			chosen, err := choose(args, nil)
			if err != nil {
				return err
			}
			requirements, err := integration.Requirements(names(chosen)...)
			if err != nil {
				return explain(err)
			}
			table := output.Table{Header: []string{"REQUIREMENT"}}
			for _, r := range requirements {
				table.Rows = append(table.Rows, []string{r})
			}
			if format.ForPeople() {
				format = "name" // so that it can be put into a file
			}
			return output.Print(n.Streams, format, append([]string{}, requirements...), table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// choose returns the integrations of the names, or all libraries, but those to ignore.
func choose(given, ignored []string) ([]integration.Integration, error) {
	leave, err := integration.Find(ignored...)
	if err != nil {
		return nil, explain(err)
	}
	var chosen []integration.Integration
	if len(given) > 0 {
		chosen, err = integration.Find(given...)
	} else if chosen, err = integration.All(); err == nil {
		chosen = slices.DeleteFunc(chosen, func(one integration.Integration) bool { return one.State != integration.Library })
	}
	if err != nil {
		return nil, explain(err)
	}
	return slices.DeleteFunc(chosen, func(one integration.Integration) bool {
		return slices.ContainsFunc(leave, func(other integration.Integration) bool { return other.Name == one.Name })
	}), nil
}

func names(all []integration.Integration) []string {
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	return names
}

// explain gives a wrong name its hint.
func explain(err error) error {
	var unknown *integration.UnknownError
	var absent *integration.AbsentError
	switch {
	case errors.As(err, &unknown) && unknown.Nearest != "":
		return fault.New(fault.Usage, fmt.Sprintf("did you mean %q?", unknown.Nearest), "%w", err)
	case errors.As(err, &unknown):
		return fault.New(fault.Usage, "`proa integration list` shows them; other Python packages that steps need go into the pipeline's settings: DockerSettings(requirements=[...])", "%w", err)
	case errors.As(err, &absent):
		return fault.New(fault.Usage, "", "%w", err)
	}
	return err
}

func complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := integration.All()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var candidates []string
	for _, one := range all {
		if one.State != integration.Absent && !slices.Contains(args, one.Name) {
			candidates = append(candidates, one.Name+"\t"+one.About)
		}
	}
	return candidates, cobra.ShellCompDirectiveNoFileComp
}

// Package stacks is the command `proa stack`.
package stacks

import (
	"github.com/proa-ml/proa/internal/cli/absent"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("stack", "Register, change, show and choose stacks",
		n.registerCommand(), n.updateCommand(), n.removeComponentCommand(), n.renameCommand(), n.copyCommand(), n.deleteCommand(),
		n.listCommand(), n.describeCommand(), n.getCommand(), n.setCommand(), n.checkCommand(), n.upCommand(), n.downCommand(),
		n.exportCommand(), n.importCommand(), n.registerSecretsCommand(), newRecipe(), newShare())
}

// names lists the stacks, for completion.
func (n noun) names() []string {
	config, err := n.Files.Load()
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range config.Stacks() {
		names = append(names, s.Name)
	}
	return names
}

// components are the flags that name a stack's components.
type components map[stack.Kind]*string

func shorthand(kind stack.Kind) string {
	switch kind {
	case stack.Orchestrator:
		return "o"
	case stack.ArtifactStore:
		return "a"
	case stack.MetadataStore:
		return "m"
	case stack.ContainerRegistry:
		return "c"
	case stack.ImageBuilder:
		return "i"
	case stack.SecretsManager:
		return "x"
	}
	return ""
}

func (n noun) addFlags(cmd *cobra.Command) components {
	flags := components{}
	for _, kind := range stack.Kinds() {
		flags[kind] = cmd.Flags().StringP(string(kind), shorthand(kind), "", "name of the "+kind.Words())
		_ = cmd.RegisterFlagCompletionFunc(string(kind), func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			config, err := n.Files.Load()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			var names []string
			for _, c := range config.Components(kind) {
				names = append(names, c.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		})
	}
	addAbsent(cmd, absent.Flag)
	return flags
}

// given says whether any component was named.
func (c components) given() bool {
	for _, name := range c {
		if *name != "" {
			return true
		}
	}
	return false
}

// apply sets the components that were named.
func (c components) apply(s *stack.Stack) {
	for kind, name := range c {
		if *name != "" {
			s.Components[kind] = *name
		}
	}
}

// Package component is the command of every kind of component: one implementation, told the kind.
package component

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/secret"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// noun is what the verbs of one kind share.
type noun struct {
	*kit.Kit
	kind stack.Kind
}

// New makes the command of a kind.
func New(k *kit.Kit, kind stack.Kind) *cobra.Command {
	n := noun{k, kind}
	group := kit.Group(string(kind), fmt.Sprintf("Register, change and show %s", kind.Plural()),
		n.registerCommand(), n.updateCommand(), n.removeAttributeCommand(), n.renameCommand(), n.copyCommand(), n.deleteCommand(),
		n.listCommand(), n.describeCommand(), n.getCommand(), n.explainCommand(), n.flavorCommand(),
		n.upCommand(), n.downCommand(), n.logsCommand())
	if kind == stack.SecretsManager {
		group.AddCommand(secret.NewFormer(k))
	}
	if kind == stack.Orchestrator {
		group.AddCommand(n.permissionsCommand())
	}
	return group
}

// names lists the registered names, for completion.
func (n noun) names() []string {
	config, err := n.Files.Load()
	if err != nil {
		return nil
	}
	var names []string
	for _, c := range config.Components(n.kind) {
		names = append(names, c.Name)
	}
	return names
}

// load returns the component that is named, or the active stack's.
func (n noun) load(args []string) (*stack.Config, kit.Active, stack.Component, error) {
	config, active, err := n.Load()
	if err != nil {
		return nil, active, stack.Component{}, err
	}
	name, err := n.named(config, active, args)
	if err != nil {
		return nil, active, stack.Component{}, err
	}
	c, err := config.Component(n.kind, name)
	return config, active, c, err
}

// named returns the name given, or that of the active stack's component.
func (n noun) named(config *stack.Config, active kit.Active, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	s, err := config.Stack(active.Name)
	if err != nil {
		return "", err
	}
	if name := s.Components[n.kind]; name != "" {
		return name, nil
	}
	return "", stack.Mistake(fmt.Sprintf("name one; `proa %s list` shows them", n.kind), "the active stack %q has no %s", active.Name, n.kind.Words())
}

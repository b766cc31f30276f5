package kit

import (
	"fmt"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/stack"
)

// WarnOf tells what is wrong with components, each with its line in the stacks file. What only shows components does so
// all the same; a run is refused.
func (k *Kit) WarnOf(config *stack.Config, components ...stack.Component) {
	for _, c := range components {
		for _, p := range k.Catalogue.Diagnose(c) {
			k.warnOf(k.located(config, c, p))
		}
	}
}

// WarnOfStacks tells which stacks name a component that isn't registered, and whether the active one exists.
func (k *Kit) WarnOfStacks(config *stack.Config, active Active) {
	for _, d := range config.Dangling() {
		_, err := config.Component(d.Kind, d.Name)
		k.warnOf(k.at(d.Line, fmt.Errorf("the stack %q: %w", d.Stack, err)))
	}
	if _, err := config.Stack(active.Name); err != nil {
		k.Warn(fmt.Sprintf("the active stack (%s): %v; choose another one with `proa stack set NAME`", active.Scope(), err))
	}
}

// firstProblem is the error of a stack whose components don't fit their flavors.
func (k *Kit) firstProblem(config *stack.Config, r stack.Resolved) error {
	for _, kind := range stack.Kinds() {
		c, ok := r.Components[kind]
		if !ok {
			continue
		}
		for _, p := range k.Catalogue.Diagnose(c) {
			return k.located(config, c, p)
		}
	}
	return nil
}

// located says of a problem which component has it, and where the stacks file says so.
func (k *Kit) located(config *stack.Config, c stack.Component, p flavor.Problem) error {
	return k.at(config.Line(c.Kind, c.Name, p.Attribute), fmt.Errorf("%s %q: %w", c.Kind.Words(), c.Name, p.Err))
}

func (k *Kit) at(line int, err error) error {
	if line == 0 {
		return err
	}
	return fmt.Errorf("%s: line %d: %w", k.Files.Path(), line, err)
}

func (k *Kit) warnOf(err error) {
	words := err.Error()
	if hint := fault.HintOf(err); hint != "" {
		words += "; " + hint
	}
	k.Warn(words)
}

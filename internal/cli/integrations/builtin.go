package integrations

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/proa-ml/proa/integration"
	"github.com/proa-ml/proa/internal/cli/check"
	"github.com/proa-ml/proa/stack"
)

// builtIn says of the integrations that are built in that there is nothing to install, and whether the active stack's
// components of their flavors are reached.
func (n noun) builtIn(ctx context.Context, chosen []integration.Integration) error {
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(one integration.Integration) bool { return one.State != integration.BuiltIn })
	if len(chosen) == 0 {
		return nil
	}
	config, active, err := n.Load()
	if err != nil {
		return err
	}
	resolved, err := config.Resolve(active.Name)
	if err != nil {
		return err
	}
	var used []stack.Kind
	for _, one := range chosen {
		n.Statusf("Integration '%s' is built in: there is nothing to install.", one.Name)
		kinds := uses(one, resolved)
		if len(kinds) == 0 {
			n.suggest(one, config)
		}
		used = append(used, kinds...)
	}
	if len(used) > 0 {
		n.reach(check.Stack(ctx, n.Kit, resolved, used...))
	}
	return nil
}

// uses returns the kinds of the stack's components that an integration serves.
func uses(one integration.Integration, r stack.Resolved) []stack.Kind {
	var kinds []stack.Kind
	for kind, flavor := range one.Flavors {
		if c, ok := r.Components[stack.Kind(kind)]; ok && c.Flavor == flavor {
			kinds = append(kinds, c.Kind)
		}
	}
	return kinds
}

// suggest says how to make use of an integration that the active stack makes no use of.
func (n noun) suggest(one integration.Integration, config *stack.Config) {
	for _, kind := range slices.Sorted(maps.Keys(one.Flavors)) {
		f, err := n.Catalogue.Find(stack.Kind(kind), one.Flavors[kind])
		if err != nil {
			continue
		}
		for _, c := range config.Components(stack.Kind(kind)) {
			if c.Flavor == f.Name {
				return // there is one, in another stack
			}
		}
		n.Statusf("  -> to use it: %s", f.Registration())
	}
}

// reach tells what came of checking components; one that is not reached is no failure of the command.
func (n noun) reach(all []check.Checked) {
	for _, c := range all {
		if c.OK {
			n.Statusf("The %s '%s' of the active stack is reached.", c.Kind.Words(), c.Name)
			continue
		}
		n.Warn(fmt.Sprintf("the %s '%s' of the active stack can't be used: %s", c.Kind.Words(), c.Name, c.Problem))
		n.Statusf("  -> %s", c.Fix)
	}
}

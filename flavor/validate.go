package flavor

import (
	"fmt"
	"strings"

	"github.com/proa-ml/proa/stack"
)

// Validate checks a whole stack before anything is built or started: that what must be there is there, that every
// component fits its flavor, and that they fit each other. It contacts nothing.
func (c Catalogue) Validate(s stack.Resolved) (warnings []string, err error) {
	for _, kind := range stack.Kinds() {
		component, ok := s.Components[kind]
		if !ok {
			if kind.Required() {
				return nil, stack.Mistake(fmt.Sprintf("add one: `proa stack update %s --%s=NAME`", s.Name, kind), "the stack %q has no %s", s.Name, kind.Words())
			}
			continue
		}
		if _, err := c.Settings(component); err != nil {
			return nil, fmt.Errorf("%s %q: %w", kind.Words(), component.Name, err)
		}
	}
	if err := c.validateRemote(s); err != nil {
		return nil, err
	}
	for _, kind := range stack.Kinds() {
		if component, ok := s.Components[kind]; ok {
			more, err := c.Verify(component)
			if err != nil {
				return nil, err
			}
			warnings = append(warnings, more...)
		}
	}
	return warnings, nil
}

// The attributes of remote orchestrators that say where the cluster is, and what of this machine it reaches.
const (
	// SkipLocalValidations turns the check for local components off.
	SkipLocalValidations = "skip_local_validations"
	// LocalCluster says that the cluster is this machine's: its nodes pull from registries at this machine's addresses. Its pods
	// see neither this machine's files nor what listens at its localhost, which is their own.
	LocalCluster = "local"
	// InCluster says that the client runs in a pod of the cluster.
	InCluster = "incluster"
)

// validateRemote checks what a remote orchestrator asks of the other components.
func (c Catalogue) validateRemote(s stack.Resolved) error {
	orchestrator := s.Components[stack.Orchestrator]
	f, err := c.Find(orchestrator.Kind, orchestrator.Flavor)
	if err != nil || !f.Remote {
		return err
	}
	if _, ok := s.Components[stack.ContainerRegistry]; !ok {
		return stack.Mistake(
			fmt.Sprintf("register one with `proa container-registry register NAME --flavor=default --uri=HOST` and add it: `proa stack update %s -c NAME`", s.Name),
			"the stack %q has no container registry, and the orchestrator %q of flavor %q needs one for the images of its steps",
			s.Name, orchestrator.Name, orchestrator.Flavor)
	}
	settings, err := f.Settings(orchestrator.Attributes)
	if err != nil || settings.Bool(SkipLocalValidations) {
		return err
	}
	for _, kind := range stack.Kinds() {
		if component, ok := s.Components[kind]; ok {
			if err := c.mustBeRemote(s.Name, orchestrator, component, settings.Bool(LocalCluster)); err != nil {
				return err
			}
		}
	}
	return nil
}

// mustBeRemote refuses a component that only this machine reaches. near says that the cluster is this machine's own.
func (c Catalogue) mustBeRemote(stackName string, orchestrator, component stack.Component, near bool) error {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil || f.Local == nil {
		return err
	}
	settings, err := f.Settings(component.Attributes)
	if err != nil {
		return err
	}
	where := f.Local(settings)
	file := strings.Contains(where, " ")
	switch {
	case where == "" || near && component.Kind == stack.ContainerRegistry:
		return nil
	case near && !file:
		return stack.Mistake(fmt.Sprintf("give it an address of this machine at which pods reach it, too, such as that in its network or on Docker's bridge: `proa %s update %s --key=value` (or, if pods do reach it, `proa orchestrator update %s --%s=true`)",
			component.Kind, component.Name, orchestrator.Name, SkipLocalValidations),
			"the cluster of the orchestrator %q is this machine's own, but to its pods localhost is the pod itself, and the %s %q is at %s",
			orchestrator.Name, component.Kind.Words(), component.Name, where)
	case near:
		return stack.Mistake(fmt.Sprintf("register one that is reached by the network and use it: `proa %s list`, then `proa stack update %s --%s=NAME`", component.Kind, stackName, component.Kind),
			"the cluster of the orchestrator %q is this machine's own, but its pods don't see this machine's files, and the %s %q of flavor %q is one (%s)",
			orchestrator.Name, component.Kind.Words(), component.Name, component.Flavor, where)
	}
	hint := fmt.Sprintf("register a remote one and use it: `proa %s list`, then `proa stack update %s --%s=NAME` (or, if the cluster is this machine's own, `proa orchestrator update %s --%s=true`, and if the nodes can reach it all the same, --%s=true)",
		component.Kind, stackName, component.Kind, orchestrator.Name, LocalCluster, SkipLocalValidations)
	return stack.Mistake(hint, "the orchestrator %q runs steps on other machines and only supports remote components, but the %s %q of flavor %q is local (%s)",
		orchestrator.Name, component.Kind.Words(), component.Name, component.Flavor, where)
}

package flavor

import (
	"fmt"

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

// SkipLocalValidations names the attribute of remote orchestrators that turns the check for local components off.
const SkipLocalValidations = "skip_local_validations"

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
			if err := c.mustBeRemote(s.Name, orchestrator, component); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c Catalogue) mustBeRemote(stackName string, orchestrator, component stack.Component) error {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil || f.Local == nil {
		return err
	}
	settings, err := f.Settings(component.Attributes)
	if err != nil {
		return err
	}
	where := f.Local(settings)
	if where == "" {
		return nil
	}
	hint := fmt.Sprintf("register a remote one and use it: `proa %s list`, then `proa stack update %s --%s=NAME` (or, if the nodes can reach it all the same, `proa orchestrator update %s --%s=true`)",
		component.Kind, stackName, component.Kind, orchestrator.Name, SkipLocalValidations)
	return stack.Mistake(hint, "the orchestrator %q runs steps on other machines and only supports remote components, but the %s %q of flavor %q is local (%s)",
		orchestrator.Name, component.Kind.Words(), component.Name, component.Flavor, where)
}

package flavor

import (
	"maps"
	"slices"

	"github.com/proa-ml/proa/stack"
)

// Problem is what is wrong with a component.
type Problem struct {
	// Attribute is the one that is wrong; empty if it is the component as a whole.
	Attribute string
	Err       error
}

// Diagnose finds all that is wrong with a component's flavor and attributes. It contacts nothing.
func (c Catalogue) Diagnose(component stack.Component) []Problem {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil {
		return []Problem{{Err: err}}
	}
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(component.Attributes)) {
		if _, err := f.Normalize(map[string]string{name: component.Attributes[name]}); err != nil {
			problems = append(problems, Problem{name, err})
		}
	}
	if problems == nil {
		if _, err := f.Settings(component.Attributes); err != nil {
			problems = []Problem{{Err: err}}
		}
	}
	return problems
}

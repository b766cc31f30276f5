// Package integration knows the names by which users ask for other software: which are built into proa, and which are Python
// libraries, with their requirements. It is data: integrations.json is all there is to change.
package integration

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/strict"
)

//go:embed integrations.json
var data []byte

// State says what a user has to do to have an integration.
type State string

// The states.
const (
	// BuiltIn is part of proa.
	BuiltIn State = "built-in"
	// Library is Python libraries that are installed where they are used.
	Library State = "library"
	// Absent is a name that is known elsewhere and has no meaning here.
	Absent State = "absent"
)

// Integration is one of them.
type Integration struct {
	Name string `json:"name"`
	// Aliases are other names that users try.
	Aliases []string `json:"aliases,omitempty"`
	State   State    `json:"state"`
	About   string   `json:"about"`
	// Requirements are those of a library, as pip reads them.
	Requirements []string `json:"requirements,omitempty"`
	// Materializers are the types of a library that have a materializer of their own; what else it has is pickled.
	Materializers []string `json:"materializers,omitempty"`
	// Flavors are the flavors of a built-in one, by kind of component.
	Flavors map[string]string `json:"flavors,omitempty"`
	// Instead says what to do for want of an absent one.
	Instead string `json:"instead,omitempty"`
}

// UnknownError is a name that no integration has.
type UnknownError struct {
	Name string
	// Nearest is what was probably meant; empty if nothing is near.
	Nearest string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no integration %q", e.Name) }

// AbsentError is an integration that has no meaning here.
type AbsentError struct{ Integration }

func (e *AbsentError) Error() string {
	return fmt.Sprintf("there is no integration %q (%s) in proa: %s", e.Name, e.About, e.Instead)
}

// All returns the integrations by name.
func All() ([]Integration, error) {
	var all []Integration
	if err := strict.JSON(data, &all); err != nil {
		return nil, fmt.Errorf("reading the integrations: %w", err)
	}
	return all, nil
}

// Find returns the integrations of the given names or aliases. Dashes do as well as underscores, and case doesn't count.
func Find(names ...string) ([]Integration, error) {
	if len(names) == 0 { // as for most of a pipeline's steps, which may be many
		return nil, nil
	}
	all, err := All()
	if err != nil {
		return nil, err
	}
	var found []Integration
	for _, name := range names {
		i := slices.IndexFunc(all, func(one Integration) bool { return one.answers(name) })
		if i < 0 {
			return nil, &UnknownError{Name: name, Nearest: nearest(name, all)}
		}
		found = append(found, all[i])
	}
	return found, nil
}

// Requirements returns what pip has to install for the integrations of the given names, sorted and each once. What is built
// in needs nothing; an absent one is an AbsentError.
func Requirements(names ...string) ([]string, error) {
	found, err := Find(names...)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, one := range found {
		if one.State == Absent {
			return nil, &AbsentError{one}
		}
		all = append(all, one.Requirements...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Packages returns the names of a library's packages, without their versions.
func (i Integration) Packages() []string {
	var names []string
	for _, requirement := range i.Requirements {
		end := strings.IndexAny(requirement, "<>=!~[; ")
		if end < 0 {
			end = len(requirement)
		}
		names = append(names, requirement[:end])
	}
	return names
}

func (i Integration) answers(name string) bool {
	return slices.ContainsFunc(append([]string{i.Name}, i.Aliases...), func(own string) bool { return fold(own) == fold(name) })
}

func nearest(name string, all []Integration) string {
	var known []string
	for _, one := range all {
		known = append(append(known, one.Name), one.Aliases...)
	}
	return strict.Nearest(name, known)
}

func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// Package flavor describes what can be put into a stack: for each flavor of each kind of component the attributes it
// takes, as data, and how to check them. Opening a component is the business of an [Opener]; package standard has it for
// the built-in flavors.
package flavor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/stack"
)

// Type is the type of an attribute's value.
type Type string

// The types of attributes.
const (
	Text Type = "text"
	Bool Type = "bool"
	Int  Type = "int"
	// JSON is an object or a list, as JSON.
	JSON Type = "json"
	// Secret is the name of a secret whose keys stand for other attributes.
	Secret Type = "secret"
)

// Scope says who may set an attribute.
type Scope string

// The scopes of attributes: by default only a component has them.
const (
	// Run attributes may also be set in a pipeline's settings.
	Run Scope = "run"
	// Step attributes may also be set in a pipeline's and in a step's settings.
	Step Scope = "step"
)

// Attribute describes one attribute of a flavor.
type Attribute struct {
	Name string `json:"name"`
	// Aliases are other names that users know it by.
	Aliases  []string `json:"aliases,omitempty"`
	Type     Type     `json:"type"`
	Required bool     `json:"required,omitempty"`
	// Unless names a bool attribute that makes a required one unnecessary.
	Unless  string `json:"unless,omitempty"`
	Default string `json:"default,omitempty"`
	// Secret values are never shown.
	Secret  bool   `json:"secret,omitempty"`
	Meaning string `json:"meaning"`
	Example string `json:"example,omitempty"`
	// Keys says which attributes the keys of the secret stand for that an attribute of type Secret names.
	Keys map[string]string `json:"keys,omitempty"`
	// Scope says who but the component may set it.
	Scope Scope `json:"scope,omitempty"`
	// Check says what is wrong with a value, in words that follow the attribute's name.
	Check func(value string) error `json:"-"`
}

// Flavor is one implementation of a kind of component.
type Flavor struct {
	Kind       stack.Kind  `json:"kind"`
	Name       string      `json:"name"`
	Meaning    string      `json:"meaning"`
	Attributes []Attribute `json:"attributes"`
	// Check says what is wrong with attributes that are each right for themselves; nil means nothing can be.
	Check func(Settings) error `json:"-"`
	// Local says where a component lives if it can only be reached from this machine: an address, or words for anything
	// else, such as a path. It is empty otherwise; nil means that it never is.
	Local func(Settings) string `json:"-"`
	// Remote orchestrators run steps on other machines: they need a container registry and no local component.
	Remote bool `json:"-"`
	// Verify looks at the world on this machine, such as the kubeconfig, but contacts nothing.
	Verify func(name string, s Settings) (warnings []string, err error) `json:"-"`
}

// Catalogue is the list of all flavors.
type Catalogue []Flavor

// With returns the catalogue with more flavors.
func (c Catalogue) With(more ...Flavor) (Catalogue, error) {
	all := slices.Clone(c)
	for _, f := range more {
		if _, err := all.Find(f.Kind, f.Name); err == nil {
			return nil, fmt.Errorf("%s of flavor %q is there already: give yours another name", f.Kind.Article(), f.Name)
		}
		if f.Name == "" || !slices.Contains(stack.Kinds(), f.Kind) {
			return nil, fmt.Errorf("the flavor %q is of no kind that there is (%q)", f.Name, f.Kind)
		}
		all = append(all, f)
	}
	return all, nil
}

// Kind returns the flavors of a kind.
func (c Catalogue) Kind(kind stack.Kind) []Flavor {
	return slices.DeleteFunc(slices.Clone(c), func(f Flavor) bool { return f.Kind != kind })
}

// Find returns a flavor.
func (c Catalogue) Find(kind stack.Kind, name string) (Flavor, error) {
	var known []string
	for _, f := range c.Kind(kind) {
		if f.Name == name {
			return f, nil
		}
		known = append(known, f.Name)
	}
	hint := "choose one with --flavor"
	if near := strict.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean --flavor=%s?", near)
	}
	if name == "" {
		return Flavor{}, stack.Mistake(hint, "the %s's flavor is missing; known: %s", kind.Words(), strings.Join(known, ", "))
	}
	return Flavor{}, stack.Mistake(hint, "there is no %s of flavor %q; known: %s", kind.Words(), name, strings.Join(known, ", "))
}

// Foreign says that a flavor doesn't know an attribute, but another flavor of its kind does: a pipeline that sets it runs on
// stacks of both, and it counts where it means something.
func (c Catalogue) Foreign(f Flavor, attribute string) bool {
	return f.attribute(attribute) == nil && slices.ContainsFunc(c.Kind(f.Kind), func(other Flavor) bool { return other.attribute(attribute) != nil })
}

// Settings checks a component against its flavor and returns its attributes with the defaults filled in.
func (c Catalogue) Settings(component stack.Component) (Settings, error) {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil {
		return nil, err
	}
	return f.settings(component.Attributes, component.Revealed)
}

// Shown returns a component's attributes for people: without defaults, and with the secret ones masked. A reference is
// shown: it is no secret itself.
func (c Catalogue) Shown(component stack.Component) map[string]string {
	f, err := c.Find(component.Kind, component.Flavor)
	shown := map[string]string{}
	for name, value := range component.Attributes {
		_, refers, _ := stack.ParseReference(value)
		if a := f.attribute(name); err != nil || a == nil || a.Secret && !refers || component.Revealed {
			value = Masked
		}
		shown[name] = value
	}
	return shown
}

// Masked stands for a secret value.
const Masked = "***"

// Verify checks what is outside of a component's attributes but on this machine.
func (c Catalogue) Verify(component stack.Component) ([]string, error) {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil || f.Verify == nil {
		return nil, err
	}
	s, err := f.Settings(component.Attributes)
	if err != nil {
		return nil, err
	}
	return f.Verify(component.Name, s)
}

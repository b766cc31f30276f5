package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/strict"
)

// DefaultName names the built-in stack and its components.
const DefaultName = "default"

// Config is everything that is registered, and the built-in stack. Its methods change it in memory; Files keeps it.
type Config struct {
	active     string
	stacks     map[string]Stack
	components map[Kind]map[string]Component
	lines      map[place]int
}

// NewConfig returns a config that holds only the built-in stack, made of the given components.
func NewConfig(builtIn []Component) *Config {
	c := &Config{
		active:     DefaultName,
		stacks:     map[string]Stack{},
		components: map[Kind]map[string]Component{},
		lines:      map[place]int{},
	}
	standard := Stack{Name: DefaultName, Components: map[Kind]string{}, BuiltIn: true}
	for _, component := range builtIn {
		component.BuiltIn = true
		c.put(component)
		standard.Components[component.Kind] = component.Name
	}
	c.stacks[DefaultName] = standard
	return c
}

func (c *Config) put(component Component) {
	if c.components[component.Kind] == nil {
		c.components[component.Kind] = map[string]Component{}
	}
	c.components[component.Kind][component.Name] = component.Clone()
}

// Active is the name of the globally active stack.
func (c *Config) Active() string { return c.active }

// SetActive makes a stack the globally active one.
func (c *Config) SetActive(name string) error {
	if _, err := c.Stack(name); err != nil {
		return err
	}
	c.active = name
	return nil
}

// Stacks returns all stacks by name.
func (c *Config) Stacks() []Stack {
	var all []Stack
	for _, name := range sorted(c.stacks) {
		all = append(all, c.stacks[name].Clone())
	}
	return all
}

// Stack finds a stack.
func (c *Config) Stack(name string) (Stack, error) {
	if s, ok := c.stacks[name]; ok {
		return s.Clone(), nil
	}
	return Stack{}, unknown("stack", name, sorted(c.stacks), "proa stack list")
}

// Components returns all components of a kind by name.
func (c *Config) Components(kind Kind) []Component {
	var all []Component
	for _, name := range sorted(c.components[kind]) {
		all = append(all, c.components[kind][name].Clone())
	}
	return all
}

// Component finds a component.
func (c *Config) Component(kind Kind, name string) (Component, error) {
	if found, ok := c.components[kind][name]; ok {
		return found.Clone(), nil
	}
	return Component{}, unknown(kind.Words(), name, sorted(c.components[kind]), fmt.Sprintf("proa %s list", kind))
}

func unknown(what, name string, known []string, list string) error {
	hint := list
	if near := strict.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? (%s)", near, list)
	}
	if len(known) == 0 {
		return Mistake(hint, "there is no %s %q: none is registered", what, name)
	}
	return Mistake(hint, "there is no %s %q; known: %s", what, name, strings.Join(known, ", "))
}

// AddComponent registers a component under a new name.
func (c *Config) AddComponent(component Component) error {
	if err := CheckName(component.Kind.Words(), component.Name); err != nil {
		return err
	}
	if _, taken := c.components[component.Kind][component.Name]; taken {
		return Mistake(fmt.Sprintf("choose another name, or change it with `proa %s update %s --key=value`", component.Kind, component.Name),
			"%s named %q exists already", component.Kind.Article(), component.Name)
	}
	c.put(component)
	return nil
}

// UpdateComponent replaces a registered component.
func (c *Config) UpdateComponent(component Component) error {
	old, err := c.Component(component.Kind, component.Name)
	if err != nil {
		return err
	}
	if old.BuiltIn {
		return Mistake(fmt.Sprintf("register your own: `proa %s register NAME --flavor=%s --key=value`", old.Kind, old.Flavor),
			"the %s %q is built in and can't be changed", old.Kind.Words(), old.Name)
	}
	c.put(component)
	return nil
}

// DeleteComponent forgets a component that no stack uses.
func (c *Config) DeleteComponent(kind Kind, name string) error {
	old, err := c.Component(kind, name)
	if err != nil {
		return err
	}
	if old.BuiltIn {
		return Mistake("", "the %s %q is built in and can't be deleted", kind.Words(), name)
	}
	if users := c.Users(kind, name); len(users) > 0 {
		return Mistake(fmt.Sprintf("give the stack another one first (`proa stack update %s ...`) or delete it (`proa stack delete %s`)", users[0], users[0]),
			"the %s %q is used by: %s", kind.Words(), name, strings.Join(users, ", "))
	}
	delete(c.components[kind], name)
	return nil
}

// Users names the stacks that use a component.
func (c *Config) Users(kind Kind, name string) []string { return c.Usage(kind)[name] }

// Usage says of each component of a kind which stacks use it, by name.
func (c *Config) Usage(kind Kind) map[string][]string {
	users := map[string][]string{}
	for _, name := range sorted(c.stacks) {
		if component := c.stacks[name].Components[kind]; component != "" {
			users[component] = append(users[component], name)
		}
	}
	return users
}

// AddStack registers a stack under a new name.
func (c *Config) AddStack(s Stack) error {
	if err := CheckName("stack", s.Name); err != nil {
		return err
	}
	if _, taken := c.stacks[s.Name]; taken {
		return Mistake(fmt.Sprintf("choose another name, or change it with `proa stack update %s ...`", s.Name),
			"a stack named %q exists already", s.Name)
	}
	return c.setStack(s)
}

// UpdateStack replaces a registered stack.
func (c *Config) UpdateStack(s Stack) error {
	old, err := c.Stack(s.Name)
	if err != nil {
		return err
	}
	if old.BuiltIn {
		return Mistake("register your own: `proa stack register NAME -o ORCHESTRATOR -a ARTIFACT_STORE -m METADATA_STORE`",
			"the stack %q is built in and can't be changed", s.Name)
	}
	return c.setStack(s)
}

func (c *Config) setStack(s Stack) error {
	for _, kind := range Kinds() {
		name := s.Components[kind]
		if name == "" {
			if kind.Required() {
				return Mistake(fmt.Sprintf("name one with --%s; `proa %s list` shows them", kind, kind),
					"the stack %q has no %s", s.Name, kind.Words())
			}
			continue
		}
		if _, err := c.Component(kind, name); err != nil {
			return err
		}
	}
	c.stacks[s.Name] = s.Clone()
	return nil
}

// DeleteStack forgets a stack that is not active; active is the one in force, which may be a repository's.
func (c *Config) DeleteStack(name, active string) error {
	s, err := c.Stack(name)
	if err != nil {
		return err
	}
	switch {
	case s.BuiltIn:
		return Mistake("", "the stack %q is built in and can't be deleted", name)
	case name == c.active && name != active:
		return Mistake("make another one active first: `proa stack set default --global`", "the stack %q is the active one of this user", name)
	case name == active:
		return Mistake("make another one active first: `proa stack set default`", "the stack %q is active", name)
	}
	delete(c.stacks, name)
	return nil
}

// Resolve returns a stack with its components. A stack without an image builder or a secrets manager gets the built-in one.
func (c *Config) Resolve(name string) (Resolved, error) {
	s, err := c.Stack(name)
	if err != nil {
		return Resolved{}, err
	}
	for _, kind := range []Kind{ImageBuilder, SecretsManager} {
		if s.Components[kind] == "" && slices.Contains(sorted(c.components[kind]), DefaultName) {
			s.Components[kind] = DefaultName
		}
	}
	r := Resolved{Name: name, Components: map[Kind]Component{}}
	for kind, component := range s.Components {
		if r.Components[kind], err = c.Component(kind, component); err != nil {
			return Resolved{}, err
		}
	}
	return r, nil
}

package stack

import "fmt"

// RenameComponent gives a registered component another name, also in the stacks that use it.
func (c *Config) RenameComponent(kind Kind, from, to string) error {
	old, err := c.Component(kind, from)
	if err != nil {
		return err
	}
	if old.BuiltIn {
		return Mistake(fmt.Sprintf("copy it: `proa %s copy %s %s`", kind, from, to), "the %s %q is built in and can't be renamed", kind.Words(), from)
	}
	if err := c.CopyComponent(kind, from, to); err != nil {
		return err
	}
	for _, name := range c.Users(kind, from) {
		c.stacks[name].Components[kind] = to
	}
	delete(c.components[kind], from)
	return nil
}

// CopyComponent registers a component's flavor and attributes under another name.
func (c *Config) CopyComponent(kind Kind, from, to string) error {
	component, err := c.Component(kind, from)
	if err != nil {
		return err
	}
	component.Name, component.BuiltIn = to, false
	return c.AddComponent(component)
}

// RenameStack gives a registered stack another name; it stays the active one if it was.
func (c *Config) RenameStack(from, to string) error {
	old, err := c.Stack(from)
	if err != nil {
		return err
	}
	if old.BuiltIn {
		return Mistake(fmt.Sprintf("copy it: `proa stack copy %s %s`", from, to), "the stack %q is built in and can't be renamed", from)
	}
	if err := c.CopyStack(from, to); err != nil {
		return err
	}
	if c.active == from {
		c.active = to
	}
	delete(c.stacks, from)
	return nil
}

// CopyStack registers a stack's components under another name.
func (c *Config) CopyStack(from, to string) error {
	s, err := c.Stack(from)
	if err != nil {
		return err
	}
	s.Name, s.BuiltIn = to, false
	return c.AddStack(s)
}

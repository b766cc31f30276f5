package stack

// place is something in the stacks file. A stack has no kind, a component as a whole no key.
type place struct {
	kind      Kind
	name, key string
}

// Line is where the stacks file has a component, or its attribute if one is named; 0 if it isn't from the file.
func (c *Config) Line(kind Kind, name, attribute string) int {
	return c.lines[place{kind, name, attribute}]
}

// Dangling is a stack that names a component which isn't registered.
type Dangling struct {
	Stack string
	Kind  Kind
	Name  string
	// Line is where the stacks file says so.
	Line int
}

// Dangling finds the stacks that can't be resolved: somebody has edited the file by hand.
func (c *Config) Dangling() []Dangling {
	var all []Dangling
	for _, s := range c.Stacks() {
		for _, kind := range Kinds() {
			name := s.Components[kind]
			if _, ok := c.components[kind][name]; !ok && name != "" {
				all = append(all, Dangling{s.Name, kind, name, c.lines[place{name: s.Name, key: string(kind)}]})
			}
		}
	}
	return all
}

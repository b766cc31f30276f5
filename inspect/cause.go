package inspect

import "slices"

// Cause is why a result differs: something of a step.
type Cause struct {
	Step string `json:"step"`
	// What is a change's, or "result" of a step that gave another result of equal work.
	What string `json:"what"`
	Name string `json:"name,omitempty"`
}

const (
	whatResult = "result"
	// mostCauses is how many causes of one thing are told: who changes a hundred parameters knows why.
	mostCauses = 10
)

// String is the cause in words.
func (c Cause) String() string {
	own := Label(c.Step)
	switch c.What {
	case whatResult:
		return own + " gave another result of equal work"
	case whatSource:
		return "the input " + Label(c.Name) + " of " + own + " comes from elsewhere"
	}
	what := c.What
	if c.Name != "" {
		what += " " + Label(c.Name)
	}
	return "the " + what + " of " + own + " changed"
}

// because are the first causes of a step's results being others: what of the step itself has changed and, for inputs that have,
// the causes of that, up to where the changes begin.
func (d *differ) because(name string) []Cause {
	if known, ok := d.causes[name]; ok {
		return known
	}
	var found []Cause
	add := func(more ...Cause) {
		for _, c := range more {
			if len(found) < mostCauses && !slices.Contains(found, c) {
				found = append(found, c)
			}
		}
	}
	for _, c := range d.made(name) {
		add(Cause{Step: name, What: c.What, Name: c.Name})
	}
	if len(d.environments[name]) > 0 {
		add(Cause{Step: name, What: whatEnvironment})
	}
	for _, c := range d.inputs(name) {
		add(c.Because...)
		if c.Because == nil { // of an artifact that was given, or of where an input comes from
			add(Cause{Step: name, What: c.What, Name: c.Name})
		}
	}
	if found == nil {
		found = []Cause{{Step: name, What: whatResult}}
	}
	d.causes[name] = found
	return found
}

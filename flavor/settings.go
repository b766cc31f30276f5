package flavor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/stack"
)

// Settings are checked attributes, with defaults filled in and aliases replaced.
type Settings map[string]string

// Bool returns a bool attribute.
func (s Settings) Bool(name string) bool { return s[name] == "true" }

// Int returns an int attribute; 0 if it is not set.
func (s Settings) Int(name string) int {
	n, _ := strconv.Atoi(s[name]) // checked by normalize
	return n
}

// Settings checks attributes and fills in the defaults. References to secrets stay as they are.
func (f Flavor) Settings(attributes map[string]string) (Settings, error) {
	return f.settings(attributes, false)
}

// settings is Settings; literal says that a text that looks like a reference is none.
func (f Flavor) settings(attributes map[string]string, literal bool) (Settings, error) {
	normalized, err := f.normalize(attributes, literal)
	if err != nil {
		return nil, err
	}
	s := Settings(normalized)
	for _, a := range f.Attributes {
		if _, given := s[a.Name]; given {
			continue
		}
		if a.Required && (a.Unless == "" || !s.Bool(a.Unless)) {
			return nil, stack.Mistake(fmt.Sprintf("add --%s=%s", a.Name, orValue(a.Example)),
				"the attribute %q is missing: %s of flavor %q needs it (%s)", a.Name, f.Kind.Article(), f.Name, a.Meaning)
		}
		if a.Default != "" {
			s[a.Name] = a.Default
		}
	}
	if f.Check != nil {
		if err := f.Check(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func orValue(example string) string {
	if example == "" {
		return "VALUE"
	}
	return example
}

// Normalize checks the names and values of attributes, and returns them under their own names in their usual notation.
func (f Flavor) Normalize(attributes map[string]string) (map[string]string, error) {
	return f.normalize(attributes, false)
}

func (f Flavor) normalize(attributes map[string]string, literal bool) (map[string]string, error) {
	normalized := map[string]string{}
	for name, value := range attributes {
		a := f.attribute(name)
		if a == nil {
			return nil, f.unknown(name)
		}
		if _, twice := normalized[a.Name]; twice {
			return nil, stack.Mistake("", "the attribute %q is given twice: %q is another name of it", a.Name, name)
		}
		value, err := f.value(a, value, literal)
		if err != nil {
			return nil, err
		}
		normalized[a.Name] = value
	}
	return normalized, nil
}

// value returns an attribute's value in its usual notation. A reference passes without the checks of what it refers to.
func (f Flavor) value(a *Attribute, value string, literal bool) (string, error) {
	if literal {
		return a.normalize(value)
	}
	reference, ok, err := stack.ParseReference(value)
	switch {
	case err != nil:
		return "", fmt.Errorf("the attribute %q: %w", a.Name, err)
	case !ok:
		return a.normalize(value)
	case a.Type == Secret:
		return "", stack.Mistake(fmt.Sprintf("write --%s=%s", a.Name, reference.Secret), "the attribute %q of %s is the name of a whole secret, and not a reference to a key", a.Name, f.Kind.Article())
	}
	if err := refusal(f.Kind); err != nil {
		return "", fmt.Errorf("the attribute %q of %s can't refer to a secret: %w", a.Name, f.Kind.Article(), err)
	}
	return reference.String(), nil
}

// Attribute finds an attribute by its name or an alias, with dashes or underscores; nil if there is none.
func (f Flavor) attribute(name string) *Attribute {
	name = strings.ReplaceAll(name, "-", "_")
	for i, a := range f.Attributes {
		if a.Name == name {
			return &f.Attributes[i]
		}
		for _, alias := range a.Aliases {
			if alias == name {
				return &f.Attributes[i]
			}
		}
	}
	return nil
}

// AttributeNames lists the names of the attributes, in the order in which they are shown.
func (f Flavor) AttributeNames() []string {
	var names []string
	for _, a := range f.Attributes {
		names = append(names, a.Name)
	}
	return names
}

// Registration is the command line that registers a component of this flavor with what it can't do without.
func (f Flavor) Registration() string {
	line := fmt.Sprintf("proa %s register NAME --flavor=%s", f.Kind, f.Name)
	for _, a := range f.Attributes {
		if a.Required {
			line += fmt.Sprintf(" --%s=%s", a.Name, orValue(a.Example))
		}
	}
	return line
}

// Scoped lists the names of the attributes of a scope.
func (f Flavor) Scoped(scope Scope) []string {
	var names []string
	for _, a := range f.Attributes {
		if a.Scope == scope {
			names = append(names, a.Name)
		}
	}
	return names
}

// Setting checks an attribute that a pipeline (Run) or a step (Step) sets, and returns its own name and its value in its
// usual notation.
func (f Flavor) Setting(name, value string, level Scope) (proper string, usual json.RawMessage, err error) {
	a := f.attribute(name)
	switch {
	case a == nil:
		return "", nil, f.unknown(name)
	case a.Scope == "" || level == Step && a.Scope == Run:
		return "", nil, stack.Mistake(fmt.Sprintf("set it on the component: `proa %s update NAME --%s=VALUE`", f.Kind, a.Name),
			"%q can't be set for a %s", a.Name, map[Scope]string{Run: "pipeline", Step: "step"}[level])
	}
	if value, err = a.normalize(value); err != nil {
		return "", nil, err
	}
	return a.Name, a.JSON(value), nil
}

func (f Flavor) unknown(name string) error {
	known := f.AttributeNames()
	hint := ""
	if near := strict.Nearest(strings.ReplaceAll(name, "-", "_"), known); near != "" {
		hint = fmt.Sprintf("did you mean --%s?", near)
	}
	if len(known) == 0 {
		return stack.Mistake(hint, "%s of flavor %q has no attribute %q; it has none at all", f.Kind.Article(), f.Name, name)
	}
	return stack.Mistake(hint, "%s of flavor %q has no attribute %q; known: %s", f.Kind.Article(), f.Name, name, strings.Join(known, ", "))
}

// normalize checks a value. Errors never repeat a secret one.
func (a Attribute) normalize(value string) (string, error) {
	shown := strconv.Quote(value)
	if a.Secret {
		shown = Masked
	}
	wrong := func(why string) error {
		hint := ""
		if a.Example != "" {
			hint = fmt.Sprintf("for example --%s=%s", a.Name, a.Example)
		}
		return stack.Mistake(hint, "the attribute %q can't be %s: %s", a.Name, shown, why)
	}
	switch a.Type {
	case Bool:
		b, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return "", wrong("it must be true or false")
		}
		value = strconv.FormatBool(b)
	case Int:
		if _, err := strconv.Atoi(value); err != nil {
			return "", wrong("it must be a whole number")
		}
	case JSON:
		if !json.Valid([]byte(value)) {
			return "", wrong("it must be JSON")
		}
	case Secret:
		if err := stack.CheckSecretName(value); err != nil {
			return "", wrong(err.Error())
		}
	case Text:
		if a.Required && value == "" {
			return "", wrong("it must not be empty")
		}
	}
	if a.Check != nil {
		if err := a.Check(value); err != nil {
			why := err.Error()
			if a.Secret && strings.Contains(why, value) {
				why = "it is not of the form that is expected there"
			}
			return "", wrong(why)
		}
	}
	return value, nil
}

// JSON returns a checked value as JSON of the attribute's type.
func (a Attribute) JSON(value string) json.RawMessage {
	if a.Type != Text {
		return json.RawMessage(value)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage(`""`) // can't be: a string is always JSON
	}
	return text
}

// Names returns the proper names of the given attributes.
func (f Flavor) Names(given map[string]string) ([]string, error) {
	var names []string
	for name := range given {
		a := f.attribute(name)
		if a == nil {
			return nil, f.unknown(name)
		}
		names = append(names, a.Name)
	}
	return names, nil
}

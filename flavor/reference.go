package flavor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/secrets"
	"github.com/proa-ml/proa/stack"
)

// Use is an attribute that stands for something in a secrets manager.
type Use struct {
	Kind      stack.Kind
	Component string
	Attribute string
	Secret    string
	// Key is empty where the attribute names a secret as a whole.
	Key string
}

func (u Use) String() string {
	what := fmt.Sprintf("the secret %q", u.Secret)
	if u.Key != "" {
		what = fmt.Sprintf("the key %q of %s", u.Key, what)
	}
	return fmt.Sprintf("%s, for the attribute %q of the %s %q", what, u.Attribute, u.Kind.Words(), u.Component)
}

// refers says whether attributes of a kind may refer to secrets.
func refers(kind stack.Kind) bool { return refusal(kind) == nil }

// refusal says why attributes of a kind can't refer to secrets, and what to do instead; nil if they can.
func refusal(kind stack.Kind) error {
	switch kind {
	case stack.ArtifactStore, stack.MetadataStore, stack.ContainerRegistry:
		return nil
	case stack.Orchestrator:
		return stack.Mistake(`write the value itself; steps are given secrets by @step(secrets=["NAME"]), and pods Secrets of the cluster by --pod_settings={"env_from":[{"secretRef":{"name":"NAME"}}]}`,
			"what an orchestrator is told stands in the record of every run and in its pods, for all to read")
	case stack.ImageBuilder:
		return stack.Mistake(`write the value itself; builds are given secrets by DockerSettings(build_secrets={"TOKEN": "{{NAME.KEY}}"}), and registries are logged in to with those of the container registry`,
			"what an image builder is told stands in every plan, for all to read")
	}
	return stack.Mistake("write the value itself", "a secrets manager can't keep what opens it")
}

// Uses lists what the components of a stack keep in its secrets manager.
func (c Catalogue) Uses(s stack.Resolved) []Use {
	var all []Use
	for _, kind := range stack.Kinds() {
		if component, ok := s.Components[kind]; ok {
			all = append(all, c.uses(component)...)
		}
	}
	return all
}

func (c Catalogue) uses(component stack.Component) []Use {
	if component.Revealed || !refers(component.Kind) {
		return nil
	}
	var all []Use
	f, _ := c.Find(component.Kind, component.Flavor)
	for _, name := range slices.Sorted(maps.Keys(component.Attributes)) {
		value, use := component.Attributes[name], Use{Kind: component.Kind, Component: component.Name, Attribute: name}
		if a := f.attribute(name); a != nil && a.Type == Secret {
			use.Secret = value
			all = append(all, use)
		} else if r, ok, err := stack.ParseReference(value); ok && err == nil {
			use.Secret, use.Key = r.Secret, r.Key
			all = append(all, use)
		}
	}
	return all
}

// Keys returns what the keys of a secret stand for that an attribute names as a whole; none if it doesn't.
func (c Catalogue) Keys(component stack.Component, use Use) map[string]string {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil || use.Key != "" || f.attribute(use.Attribute) == nil {
		return nil
	}
	return f.attribute(use.Attribute).Keys
}

// Missing returns what a secrets manager lacks of what is used.
func Missing(ctx context.Context, m *secrets.Manager, uses []Use) ([]Use, error) {
	_, missing, err := look(ctx, m, uses)
	return missing, err
}

// look reads the secrets that are used, each once.
func look(ctx context.Context, m *secrets.Manager, uses []Use) (found map[string]map[string]string, missing []Use, err error) {
	found = map[string]map[string]string{}
	for _, use := range uses {
		values, looked := found[use.Secret]
		if !looked {
			if values, _, err = m.Lookup(ctx, use.Secret); err != nil {
				return nil, nil, err
			}
			found[use.Secret] = values
		}
		if _, ok := values[use.Key]; !ok && (use.Key != "" || values == nil) {
			missing = append(missing, use)
		}
	}
	return found, missing, nil
}

// Reveal returns a stack in which attributes of components of the given kinds, or of all if none is given, are what they
// refer to. The manager is asked only if there is something to ask for. No error repeats a value.
func (c Catalogue) Reveal(ctx context.Context, s stack.Resolved, manager func(context.Context) (*secrets.Manager, error), kinds ...stack.Kind) (stack.Resolved, error) {
	uses := slices.DeleteFunc(c.Uses(s), func(u Use) bool { return len(kinds) > 0 && !slices.Contains(kinds, u.Kind) })
	if len(uses) == 0 {
		return s, nil
	}
	m, err := manager(ctx)
	if err != nil {
		return stack.Resolved{}, err
	}
	found, missing, err := look(ctx, m, uses)
	if err != nil {
		return stack.Resolved{}, err
	}
	if len(missing) > 0 {
		return stack.Resolved{}, Lacking(s.Name, m.Name(), missing)
	}
	revealed := stack.Resolved{Name: s.Name, Components: maps.Clone(s.Components)}
	for _, use := range uses {
		component := revealed.Components[use.Kind]
		if component.Revealed {
			continue
		}
		if revealed.Components[use.Kind], err = c.reveal(component, found); err != nil {
			return stack.Resolved{}, fmt.Errorf("%s %q: %w", component.Kind.Words(), component.Name, err)
		}
	}
	return revealed, nil
}

// Lacking is the error of a stack whose secrets manager lacks what its components refer to; stackName is empty if no stack has
// them.
func Lacking(stackName, manager string, missing []Use) error {
	var list []string
	for _, use := range missing {
		list = append(list, use.String())
	}
	hint := fmt.Sprintf("`proa stack register-secrets %s` asks for what is missing", stackName)
	if stackName == "" {
		hint = fmt.Sprintf("keep it with `proa secret create %s --%s=@-`, or `update` if there is one", missing[0].Secret, cmp.Or(missing[0].Key, "KEY"))
	}
	return stack.Mistake(hint, "the secrets manager %q lacks %s", manager, strings.Join(list, "; and "))
}

// reveal replaces what a component refers to, and checks the result as if it had been given.
func (c Catalogue) reveal(component stack.Component, found map[string]map[string]string) (stack.Component, error) {
	f, err := c.Find(component.Kind, component.Flavor)
	if err != nil {
		return component, err
	}
	component = component.Clone()
	f.Attributes = slices.Clone(f.Attributes)
	for _, use := range c.uses(component) {
		if use.Key == "" {
			err = f.spread(component.Attributes, use, found[use.Secret])
		} else {
			component.Attributes[use.Attribute] = found[use.Secret][use.Key]
			f.attribute(use.Attribute).Secret = true
		}
		if err != nil {
			return component, err
		}
	}
	component.Revealed = true
	_, err = f.settings(component.Attributes, true)
	return component, err
}

// spread replaces an attribute that names a secret by the attributes that the secret's keys stand for.
func (f Flavor) spread(attributes map[string]string, use Use, values map[string]string) error {
	keys := f.attribute(use.Attribute).Keys
	delete(attributes, use.Attribute)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, known := keys[key]
		if !known {
			return stack.Mistake(fmt.Sprintf("remove it: `proa secret update %s --remove=%s`", use.Secret, key),
				"the secret %q has a key %q, which the attribute %q has no use for; known: %s", use.Secret, key, use.Attribute, strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
		}
		if attributes[name] != "" {
			return stack.Mistake(fmt.Sprintf("take one of them away: `proa %s update %s --%s=`", use.Kind, use.Component, name),
				"the attribute %q is given itself, and by the key %q of the secret %q", name, key, use.Secret)
		}
		attributes[name] = values[key]
		f.attribute(name).Secret = true
	}
	return nil
}

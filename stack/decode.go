package stack

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/internal/strict"
	"go.yaml.in/yaml/v3"
)

// apiVersion is the version of the files.
const apiVersion = "proa/v1"

// fields are the known keys of a mapping and what to do with their values.
type fields map[string]func(*yaml.Node) error

// document decodes YAML strictly: an unknown or repeated key is an error that names the line and the nearest known key.
func document(path string, data []byte, known fields) error {
	var root yaml.Node
	err := yaml.Unmarshal(data, &root)
	if errors.Is(err, io.EOF) || (err == nil && root.Kind == 0) {
		return nil
	}
	if err == nil {
		// The version goes first: a later one may have keys that are unknown here.
		if node := child(root.Content[0], "apiVersion"); node != nil && newer(node.Value) {
			return Mistake("update proa, or choose another folder with PROA_CONFIG_DIR",
				"%s: line %d: a newer proa wrote this file: its version is %s, and this proa knows %s", path, node.Line, node.Value, apiVersion)
		}
		err = mapping(root.Content[0], known)
	}
	if err != nil {
		return Mistake("correct the file, or move it away to start anew", "%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return nil
}

// child returns the value of a key; nil if there is none.
func child(node *yaml.Node, key string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	if at, ok := index(node)[key]; ok {
		return node.Content[at+1]
	}
	return nil
}

// newer says that a version of the files came after ours.
func newer(version string) bool {
	number := func(v string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(v, "proa/v"))
		if err != nil {
			return 0
		}
		return n
	}
	return strings.HasPrefix(version, "proa/v") && number(version) > number(apiVersion)
}

func mapping(node *yaml.Node, known fields) error {
	return entries(node, func(key string, at, value *yaml.Node) error {
		decode, ok := known[key]
		if ok {
			return decode(value)
		}
		names := sorted(known)
		if near := strict.Nearest(key, names); near != "" {
			return fmt.Errorf("line %d: unknown key %q; did you mean %q?", at.Line, key, near)
		}
		return fmt.Errorf("line %d: unknown key %q; known: %s", at.Line, key, strings.Join(names, ", "))
	})
}

// entries calls visit for each entry of a mapping.
func entries(node *yaml.Node, visit func(key string, at, value *yaml.Node) error) error {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected a mapping (key: value)", node.Line)
	}
	var seen []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if slices.Contains(seen, key.Value) {
			return fmt.Errorf("line %d: key %q occurs twice", key.Line, key.Value)
		}
		seen = append(seen, key.Value)
		if err := visit(key.Value, key, value); err != nil {
			return err
		}
	}
	return nil
}

func text(into *string) func(*yaml.Node) error {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: expected a single value", node.Line)
		}
		*into = node.Value
		return nil
	}
}

func version(node *yaml.Node) error {
	if node.Value != apiVersion {
		return fmt.Errorf("line %d: apiVersion %q is not known to this proa, which knows %q", node.Line, node.Value, apiVersion)
	}
	return nil
}

// decodeConfig adds what the stacks file holds to c.
func decodeConfig(c *Config, path string, data []byte) error {
	return document(path, data, fields{
		"apiVersion": version,
		"active":     text(&c.active),
		"components": c.decodeComponents,
		"stacks":     c.decodeStacks,
	})
}

func (c *Config) decodeComponents(node *yaml.Node) error {
	known := fields{}
	for _, kind := range Kinds() {
		known[string(kind)] = func(node *yaml.Node) error {
			return entries(node, func(name string, at, value *yaml.Node) error {
				return c.decodeComponent(Component{Kind: kind, Name: name}, at, value)
			})
		}
	}
	return mapping(node, known)
}

func (c *Config) decodeComponent(component Component, at, node *yaml.Node) error {
	err := mapping(node, fields{
		"flavor": text(&component.Flavor),
		"attributes": func(node *yaml.Node) error {
			component.Attributes = map[string]string{}
			return entries(node, func(key string, at, value *yaml.Node) error {
				c.lines[place{component.Kind, component.Name, key}] = at.Line
				var s string
				err := text(&s)(value)
				component.Attributes[key] = s
				return err
			})
		},
	})
	if err != nil {
		return err
	}
	if old, ok := c.components[component.Kind][component.Name]; ok && old.BuiltIn {
		return fmt.Errorf("line %d: the %s %q is built in", at.Line, component.Kind.Words(), component.Name)
	}
	c.lines[place{component.Kind, component.Name, ""}] = at.Line
	c.put(component)
	return nil
}

func (c *Config) decodeStacks(node *yaml.Node) error {
	return entries(node, func(name string, at, value *yaml.Node) error {
		s := Stack{Name: name, Components: map[Kind]string{}}
		known := fields{}
		for _, kind := range Kinds() {
			known[string(kind)] = func(node *yaml.Node) error {
				c.lines[place{name: name, key: string(kind)}] = node.Line
				var component string
				err := text(&component)(node)
				s.Components[kind] = component
				return err
			}
		}
		if err := mapping(value, known); err != nil {
			return err
		}
		if old, ok := c.stacks[name]; ok && old.BuiltIn {
			return fmt.Errorf("line %d: the stack %q is built in", at.Line, name)
		}
		c.stacks[name] = s
		return nil
	})
}

package stack

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Export writes a stack as a file that [Import] reads, and that other tools of the field know the shape of:
//
//	proa_version: 0.1.0
//	stack_name: k8s
//	components:
//	  artifact_store:
//	    name: s3
//	    flavor: s3
//	    path: s3://bucket
//
// The caller takes out of the components what nobody else may see.
func Export(r Resolved, proaVersion string) ([]byte, error) {
	components := &yaml.Node{Kind: yaml.MappingNode}
	for _, kind := range Kinds() {
		c, ok := r.Components[kind]
		if !ok {
			continue
		}
		body := &yaml.Node{Kind: yaml.MappingNode}
		body.Content = append(body.Content, pair("name", c.Name)...)
		body.Content = append(body.Content, pair("flavor", c.Flavor)...)
		for _, key := range sorted(c.Attributes) {
			body.Content = append(body.Content, pair(key, c.Attributes[key])...)
		}
		components.Content = append(components.Content, word(exportedKind(kind)), body)
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	root.Content = append(root.Content, pair("proa_version", proaVersion)...)
	root.Content = append(root.Content, pair("stack_name", r.Name)...)
	root.Content = append(root.Content, word("components"), components)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("encoding the stack: %w", err)
	}
	return out.Bytes(), nil
}

// Import reads an exported stack, also one of ZenML's. What a flavor makes of the attributes is not checked here.
func Import(path string, data []byte) (Resolved, error) {
	r := Resolved{Components: map[Kind]Component{}}
	var ignored string
	err := document(path, data, fields{
		"proa_version":  text(&ignored),
		"zenml_version": text(&ignored),
		"stack_name":    text(&r.Name),
		"components": func(node *yaml.Node) error {
			return entries(node, func(key string, at, value *yaml.Node) error {
				kind := Kind(strings.ReplaceAll(key, "_", "-"))
				if !slices.Contains(Kinds(), kind) {
					return fmt.Errorf("line %d: proa has no components of the kind %q: remove it from the file", at.Line, key)
				}
				c, err := importComponent(kind, value)
				r.Components[kind] = c
				return err
			})
		},
	})
	if err == nil && len(r.Components) == 0 {
		err = Mistake("it is made by `proa stack export`", "%s holds no components", path)
	}
	return r, err
}

func importComponent(kind Kind, node *yaml.Node) (Component, error) {
	c := Component{Kind: kind, Attributes: map[string]string{}}
	err := entries(node, func(key string, at, value *yaml.Node) error {
		if value.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: %s: expected a single value", at.Line, key)
		}
		switch {
		case key == "name":
			c.Name = value.Value
		case key == "flavor":
			c.Flavor = value.Value
		case key == "uuid", value.Tag == "!!null":
		default:
			c.Attributes[key] = value.Value
		}
		return nil
	})
	if err == nil && c.Name == "" {
		err = fmt.Errorf("line %d: the %s has no name", node.Line, kind.Words())
	}
	return c, err
}

func exportedKind(kind Kind) string { return strings.ReplaceAll(string(kind), "-", "_") }

func word(s string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(s)
	return node
}

func pair(key, value string) []*yaml.Node { return []*yaml.Node{word(key), word(value)} }

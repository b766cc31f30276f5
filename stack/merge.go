package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// rewrite returns the text of a file whose content shall be want, changing no more of the old text than need be: comments,
// the order of keys and the way values are written stay.
func rewrite(old []byte, want any) ([]byte, error) {
	var wanted, root yaml.Node
	if err := wanted.Encode(want); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(old, &root); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading what is there: %w", err)
	}
	if root.Kind == 0 {
		root = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{&wanted}}
	} else {
		merge(root.Content[0], &wanted)
	}
	var out bytes.Buffer
	if root.Content[0] == &wanted {
		out.Write(old) // nothing but comments
	}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// merge changes have until it says the same as want.
func merge(have, want *yaml.Node) {
	switch {
	case have.Kind == yaml.MappingNode && want.Kind == yaml.MappingNode:
		mergeMapping(have, want)
	case have.Kind == yaml.ScalarNode && want.Kind == yaml.ScalarNode && have.Value == want.Value:
		// 3306 and "3306" are the same to us.
	default:
		have.Kind, have.Tag, have.Value, have.Style, have.Content = want.Kind, want.Tag, want.Value, want.Style, want.Content
	}
}

func mergeMapping(have, want *yaml.Node) {
	present, wanted := index(have), index(want)
	gone, added := missing(have, wanted), missing(want, present)
	if len(gone) == 1 && len(added) == 1 && same(have.Content[gone[0]+1], want.Content[added[0]+1]) {
		// Renamed: the entry keeps its place and its comments.
		merge(have.Content[gone[0]], want.Content[added[0]])
		mergeMapping(have, want)
		return
	}
	var kept []*yaml.Node
	for i := 0; i+1 < len(have.Content); i += 2 {
		key, value := have.Content[i], have.Content[i+1]
		if at, ok := wanted[key.Value]; ok {
			merge(value, want.Content[at+1])
			kept = append(kept, key, value)
		}
	}
	for _, at := range added {
		kept = append(kept, want.Content[at], want.Content[at+1])
	}
	if len(have.Content) == 0 {
		have.Style &^= yaml.FlowStyle // "{}" is not a wish for everything on one line
	}
	have.Content = kept
}

// index says where in a mapping's content each key is.
func index(mapping *yaml.Node) map[string]int {
	at := make(map[string]int, len(mapping.Content)/2)
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		at[mapping.Content[i].Value] = i
	}
	return at
}

// missing lists where the keys are that others lack.
func missing(mapping *yaml.Node, others map[string]int) []int {
	var at []int
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if _, ok := others[mapping.Content[i].Value]; !ok {
			at = append(at, i)
		}
	}
	return at
}

// same says that two nodes mean the same, whatever their comments and notation.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind != yaml.MappingNode {
		return len(a.Content) == 0
	}
	other := index(b)
	for i := 0; i+1 < len(a.Content); i += 2 {
		at, ok := other[a.Content[i].Value]
		if !ok || !same(a.Content[i+1], b.Content[at+1]) {
			return false
		}
	}
	return true
}

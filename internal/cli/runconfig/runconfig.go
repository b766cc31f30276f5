// Package runconfig reads run configurations, the YAML files that give a pipeline's steps other parameters and settings than
// its code does, and applies them to the pipeline's spec.
package runconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/strict"
	"go.yaml.in/yaml/v3"
)

// Variable names the file in the environment of a script, whose pipeline hands its spec back to proa.
const Variable = "PROA_RUN_CONFIG"

// Config is a run configuration.
type Config struct {
	path string
	// pipeline and steps are what to put into the spec of the pipeline and of its steps, by the spec's own keys.
	pipeline map[string]any
	steps    map[string]map[string]any
	// lines are where the steps and their parameters stand in the file.
	lines map[string]int
}

// keys translates what may be written of a pipeline or a step into the keys of a spec. An empty one has another meaning here.
type keys map[string]string

func pipelineKeys() keys {
	return keys{"name": "name", "enable_cache": "cache", "settings": "settings", "steps": ""}
}

func stepKeys() keys {
	return keys{
		"parameters": "parameters", "enable_cache": "cache", "settings": "settings",
		"retry": "retry", "timeout": "timeout", "resources": "resources",
	}
}

// Read reads a run configuration.
func Read(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "name a YAML file with -c", "reading the run configuration: %w", err)
	}
	c := &Config{path: path, pipeline: map[string]any{}, steps: map[string]map[string]any{}, lines: map[string]int{}}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, c.mistake("", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if root.Kind == 0 {
		return c, nil
	}
	err = c.entries(root.Content[0], "a run configuration", pipelineKeys(), func(key, target string, value *yaml.Node) error {
		if key == "steps" {
			return c.readSteps(value)
		}
		c.pipeline[target], err = c.value(value)
		return err
	})
	return c, err
}

func (c *Config) readSteps(node *yaml.Node) error {
	return c.entries(node, "steps", nil, func(name, _ string, value *yaml.Node) error {
		step := map[string]any{}
		c.lines[name] = value.Line
		c.steps[name] = step
		return c.entries(value, "the step "+name, stepKeys(), func(key, target string, value *yaml.Node) error {
			if key == "parameters" {
				if err := c.entries(value, "parameters", nil, func(parameter, _ string, value *yaml.Node) error {
					c.lines[name+"/"+parameter] = value.Line
					return nil
				}); err != nil {
					return err
				}
			}
			var err error
			step[target], err = c.value(value)
			return err
		})
	})
}

// entries visits the entries of a mapping. Without known keys any will do.
func (c *Config) entries(node *yaml.Node, what string, known keys, visit func(key, target string, value *yaml.Node) error) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return c.mistake("", "line %d: expected a mapping (key: value) for %s", node.Line, what)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		target, ok := known[key.Value]
		if !ok && known != nil {
			return c.unknownKey(key, what, known)
		}
		if err := visit(key.Value, target, value); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) unknownKey(key *yaml.Node, what string, known keys) error {
	names := slices.Sorted(maps.Keys(known))
	hint := "known: " + strings.Join(names, ", ")
	switch near := strict.Nearest(key.Value, names); {
	case near != "":
		hint = fmt.Sprintf("did you mean %q?", near)
	case key.Value == "source" || key.Value == "materializers":
		hint = "the Python file says which functions are steps and how their outputs are saved; remove it"
	}
	return c.mistake(hint, "line %d: unknown key %q in %s", key.Line, key.Value, what)
}

// value returns a YAML value as one of JSON. A date is text.
func (c *Config) value(node *yaml.Node) (any, error) {
	textual(node)
	var v any
	if err := node.Decode(&v); err != nil {
		return nil, c.mistake("", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if _, err := json.Marshal(v); err != nil {
		return nil, c.mistake("write numbers, text, true, false, null, and lists and mappings of these", "line %d: this can't be written as JSON", node.Line)
	}
	return v, nil
}

func textual(node *yaml.Node) {
	if node.Tag == "!!timestamp" {
		node.Tag = "!!str"
	}
	for _, child := range node.Content {
		textual(child)
	}
}

// Apply returns the spec with what the configuration says in it.
func (c *Config) Apply(spec []byte) ([]byte, error) {
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(spec))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("reading the spec: %w", err)
	}
	steps := map[string]map[string]any{}
	list, _ := document["steps"].([]any)
	for _, entry := range list {
		if step, ok := entry.(map[string]any); ok {
			name, _ := step["name"].(string)
			steps[name] = step
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.steps)) {
		step, ok := steps[name]
		if !ok {
			return nil, c.unknown(name, "the pipeline has no step %q", name, slices.Sorted(maps.Keys(steps)))
		}
		if err := c.checkParameters(name, step); err != nil {
			return nil, err
		}
		merge(step, c.steps[name])
	}
	merge(document, c.pipeline)
	return json.Marshal(document)
}

// checkParameters looks for parameters that a step doesn't have, or that other steps give it.
func (c *Config) checkParameters(name string, step map[string]any) error {
	given, _ := c.steps[name]["parameters"].(map[string]any)
	own, _ := step["parameters"].(map[string]any)
	inputs, _ := step["inputs"].(map[string]any)
	for _, parameter := range slices.Sorted(maps.Keys(given)) {
		if _, ok := own[parameter]; ok {
			continue
		}
		at := name + "/" + parameter
		if _, ok := inputs[parameter]; ok {
			return c.mistake("remove it", "line %d: %q of the step %s is the output of another step and no parameter", c.lines[at], parameter, name)
		}
		return c.unknown(at, "the step "+name+" has no parameter %q", parameter, slices.Sorted(maps.Keys(own)))
	}
	return nil
}

func (c *Config) unknown(at, format, name string, known []string) error {
	hint := "known: " + strings.Join(known, ", ")
	if len(known) == 0 {
		hint = "it has none"
	}
	if near := strict.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return c.mistake(hint, "line %d: "+format, c.lines[at], name)
}

func (c *Config) mistake(hint, format string, args ...any) error {
	return fault.New(fault.Configuration, hint, "%s: %s", c.path, fmt.Sprintf(format, args...))
}

// merge puts what is in from into to: mappings are merged, everything else is replaced.
func merge(to, from map[string]any) {
	for key, value := range from {
		mine, ours := to[key].(map[string]any)
		theirs, both := value.(map[string]any)
		if ours && both {
			merge(mine, theirs)
			continue
		}
		to[key] = value
	}
}

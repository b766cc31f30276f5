package runconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/proa-ml/proa/internal/cli/fault"
)

const spec = `{"name": "p", "settings": {"docker": {"requirements": ["a"], "environment": {"X": "1"}}}, "steps": [
  {"name": "load", "parameters": {"rows": 10, "big": 12345678901234567890}},
  {"name": "train", "inputs": {"data": {"step": "load"}}, "parameters": {"gamma": 0.5, "options": {"a": 1, "b": [1]}}},
  {"name": "end"}]}`

func read(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(path)
}

func TestApply(t *testing.T) {
	c, err := read(t, `
name: nightly
enable_cache: false
settings: {docker: {environment: {Y: "2"}}}
steps:
  load:
    parameters: {rows: 2026-11-24}
  train:
    parameters: {gamma: 1.0, options: {b: null}}
    enable_cache: true
    resources: {memory: 2Gi}
  end:
`)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Apply([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "12345678901234567890") {
		t.Error("a number lost digits that the configuration doesn't touch")
	}
	var got, want any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	err = json.Unmarshal([]byte(`{"name": "nightly", "cache": false,
  "settings": {"docker": {"requirements": ["a"], "environment": {"X": "1", "Y": "2"}}}, "steps": [
  {"name": "load", "parameters": {"rows": "2026-11-24", "big": 12345678901234567890}},
  {"name": "train", "inputs": {"data": {"step": "load"}}, "parameters": {"gamma": 1, "options": {"a": 1, "b": null}},
   "cache": true, "resources": {"memory": "2Gi"}},
  {"name": "end"}]}`), &want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string][2]string{
		"steps:\n  trian:\n    parameters: {gamma: 1}":     {`line 3: the pipeline has no step "trian"`, `did you mean "train"?`},
		"steps:\n  other: {}":                              {`line 2: the pipeline has no step "other"`, "known: end, load, train"},
		"steps:\n  train:\n    parameters:\n      gama: 1": {`line 4: the step train has no parameter "gama"`, `did you mean "gamma"?`},
		"steps:\n  end:\n    parameters: {x: 1}":           {`the step end has no parameter "x"`, "it has none"},
		"steps:\n  train:\n    parameters: {data: 1}":      {`"data" of the step train is the output of another step`, "remove it"},
		"stesp: {}":                                   {`line 1: unknown key "stesp" in a run configuration`, `did you mean "steps"?`},
		"steps:\n  train:\n    paramters: {}":         {`line 3: unknown key "paramters" in the step train`, `did you mean "parameters"?`},
		"steps:\n  train:\n    source: {name: t}":     {`line 3: unknown key "source"`, "the Python file says"},
		"steps: [train]":                              {"line 1: expected a mapping (key: value) for steps", ""},
		"steps:\n  train: 3":                          {"line 2: expected a mapping (key: value) for the step train", ""},
		"steps:\n  train:\n    parameters: [gamma]":   {"line 3: expected a mapping (key: value) for parameters", ""},
		"steps: {train: {parameters: {gamma: .nan}}}": {"line 1: this can't be written as JSON", "write numbers"},
		"steps: {": {"line 1: did not find expected", ""},
		"a: 1":     {`unknown key "a"`, "known: enable_cache, name, settings, steps"},
	} {
		c, err := read(t, text)
		if err == nil {
			_, err = c.Apply([]byte(spec))
		}
		if err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(fault.HintOf(err), want[1]) || fault.CodeOf(err) != fault.Configuration {
			t.Errorf("%q: got %v (hint %q), want %q", text, err, fault.HintOf(err), want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "nothing.yaml")); fault.CodeOf(err) != fault.Usage {
		t.Errorf("a file that doesn't exist: %v", err)
	}
}

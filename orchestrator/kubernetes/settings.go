package kubernetes

import (
	"encoding/json"
	"fmt"

	"github.com/proa-ml/proa/internal/strict"
)

// DefaultNamespace is where runs go unless the stack or the step says otherwise.
const DefaultNamespace = "proa"

// Settings are what a step's plan says about the orchestrator: the stack's, the pipeline's and the step's own, merged.
type Settings struct {
	// PodSettings tune the step's pods.
	PodSettings json.RawMessage `json:"pod_settings,omitempty"`
}

// ParseSettings reads settings given as single JSON values, and names an unknown one.
func ParseSettings(values map[string]json.RawMessage) (Settings, error) {
	var s Settings
	if len(values) == 0 {
		return s, nil
	}
	data, err := json.Marshal(values)
	if err != nil {
		return s, fmt.Errorf("reading settings of the kubernetes orchestrator: %w", err)
	}
	if err := strict.JSON(data, &s); err != nil {
		return s, fmt.Errorf("settings of the kubernetes orchestrator: %w", err)
	}
	return s, nil
}

// namespaceOr returns the namespace to use.
func namespaceOr(namespace string) string {
	if namespace == "" {
		return DefaultNamespace
	}
	return namespace
}

package kubernetes

import (
	"encoding/json"
	"fmt"

	"github.com/proa-ml/proa/internal/strict"
)

// DefaultNamespace is where runs go unless the stack or the step says otherwise.
const DefaultNamespace = "proa"

// Settings are what a stack says about its Kubernetes orchestrator.
type Settings struct {
	// Context is the kubeconfig's context; empty means the current one.
	Context string `json:"kubernetes_context,omitempty"`
	// Namespace holds everything of a run; empty means DefaultNamespace.
	Namespace string `json:"kubernetes_namespace,omitempty"`
	// Synchronous makes the client wait for the run's end; nil means that it does.
	Synchronous *bool `json:"synchronous,omitempty"`
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

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
	// StepPodServiceAccountName is the service account of the step's pods, which then have its token; without it they
	// have none.
	StepPodServiceAccountName string `json:"step_pod_service_account_name,omitempty"`
	// Privileged gives the step's container all rights on its node.
	Privileged bool `json:"privileged,omitempty"`
	// Queue is the Kueue queue that the step's pods wait in.
	Queue string `json:"queue,omitempty"`
	// PendingTimeout is how long a pod may be without a container that runs; 0 means for ever. What it spends held back by
	// scheduling gates doesn't count.
	PendingTimeout Period `json:"pending_timeout,omitempty"`
	// WaitingReasons are the reasons of a waiting container that fail the attempt; nil means the usual ones.
	WaitingReasons *WaitingReasons `json:"fail_on_container_waiting_reasons,omitempty"`
	// Isolation says whether attempts share pods, one after the other (warm), or each has its own (pod).
	Isolation string `json:"isolation,omitempty"`
	// PodFailurePolicy is the engine's, which finds it in the plan.
	PodFailurePolicy json.RawMessage `json:"pod_failure_policy,omitempty"`
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

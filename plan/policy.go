package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/proa-ml/proa/internal/strict"
)

// policySetting is the orchestrator's setting that holds a failure policy. It is the engine that follows it.
const policySetting = "pod_failure_policy"

// Action says what a failed attempt that a rule matches means for its step.
type Action string

// The actions of a rule.
const (
	// FailJob ends the step, whatever its budget.
	FailJob Action = "FailJob"
	// Ignore tries again at the infrastructure's expense.
	Ignore Action = "Ignore"
	// Count tries again at the user's expense.
	Count Action = "Count"
)

// Rule is one rule of a failure policy, in the notation of the podFailurePolicy of a Kubernetes Job. The first rule that
// matches an attempt's end counts.
type Rule struct {
	Action     Action       `json:"action"`
	ExitCodes  *ExitCodes   `json:"onExitCodes,omitempty"`
	Conditions []Conditions `json:"onPodConditions,omitempty"`
}

// ExitCodes matches the exit code of a step that ended by itself.
type ExitCodes struct {
	// ContainerName is accepted and of no effect: a step is one container.
	ContainerName string  `json:"containerName,omitempty"`
	Operator      string  `json:"operator"`
	Values        []int32 `json:"values"`
}

// Conditions matches what befell a pod.
type Conditions struct {
	Type   string `json:"type"`
	Status string `json:"status,omitempty"`
}

// DisruptionTarget is the condition of a pod that the cluster ended: evicted, preempted, or its node lost.
const DisruptionTarget = "DisruptionTarget"

// ParsePolicy reads a failure policy and says what is wrong with it.
func ParsePolicy(data []byte) ([]Rule, error) {
	var policy struct {
		Rules []Rule `json:"rules"`
	}
	if err := strict.JSON(data, &policy); err != nil {
		return nil, err
	}
	if len(policy.Rules) == 0 {
		return nil, errors.New("it has no rules")
	}
	for i, r := range policy.Rules {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return policy.Rules, nil
}

func (r Rule) check() error {
	if !slices.Contains([]Action{FailJob, Ignore, Count}, r.Action) {
		return fmt.Errorf("action is %q; it is one of %s, %s and %s", r.Action, FailJob, Ignore, Count)
	}
	if (r.ExitCodes == nil) == (len(r.Conditions) == 0) {
		return errors.New("it needs either onExitCodes or onPodConditions")
	}
	if r.ExitCodes != nil && r.ExitCodes.Operator != "In" && r.ExitCodes.Operator != "NotIn" {
		return fmt.Errorf("onExitCodes: operator is %q; it is In or NotIn", r.ExitCodes.Operator)
	}
	if r.ExitCodes != nil && len(r.ExitCodes.Values) == 0 {
		return errors.New("onExitCodes: it has no values")
	}
	for _, c := range r.Conditions {
		if c.Type != DisruptionTarget || c.Status != "" && c.Status != "True" {
			return fmt.Errorf("onPodConditions: of the pods of steps only %s, True, is known, not %s %s", DisruptionTarget, c.Type, c.Status)
		}
	}
	return nil
}

// Match returns the action of the first rule that matches. exitCode is that of a step that failed by itself, and
// disrupted says that the cluster ended its pod instead.
func Match(rules []Rule, exitCode int, disrupted bool) (Action, bool) {
	for _, r := range rules {
		switch {
		case r.ExitCodes == nil:
			if disrupted {
				return r.Action, true
			}
		case !disrupted && exitCode > 0 && slices.Contains(r.ExitCodes.Values, int32(exitCode)) == (r.ExitCodes.Operator == "In"):
			return r.Action, true
		}
	}
	return "", false
}

// policyOf reads the policy among a step's settings.
func policyOf(settings map[string]json.RawMessage) ([]Rule, error) {
	data, ok := settings[policySetting]
	if !ok {
		return nil, nil
	}
	rules, err := ParsePolicy(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", policySetting, err)
	}
	return rules, nil
}

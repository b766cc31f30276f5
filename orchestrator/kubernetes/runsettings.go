package kubernetes

import (
	"encoding/json"
	"fmt"
)

// Which of a run's finished pods stay for a look at them, until the run's Job goes.
const (
	KeepNone   = "none"
	KeepFailed = "failed"
	KeepAll    = "all"
)

// RunSettings are what a plan says about the orchestrator of a run as a whole.
type RunSettings struct {
	// PodSettings tune the coordinator's pod.
	PodSettings json.RawMessage `json:"orchestrator_pod_settings,omitempty"`
	// ServiceAccountName is the coordinator's, if it is not to be proa's own. It has to exist.
	ServiceAccountName string `json:"service_account_name,omitempty"`
	// JobNamePrefix begins the name of the run's Job.
	JobNamePrefix string `json:"job_name_prefix,omitempty"`
	// TTL is how many seconds the Job, and all it owns, stays after its end.
	TTL *int32 `json:"ttl_seconds_after_finished,omitempty"`
	// ActiveDeadline is how many seconds the run may take. The engine sees to it; the Job does some time later, in case
	// that there is no engine.
	ActiveDeadline int64 `json:"active_deadline_seconds,omitempty"`
	// BackoffLimit is how often a coordinator may crash or be lost before the run is given up.
	BackoffLimit *int32 `json:"orchestrator_job_backoff_limit,omitempty"`
	// KeepPods says which finished pods of steps stay.
	KeepPods string `json:"keep_pods,omitempty"`
	// SuccessfulHistory and FailedHistory are how many ended Jobs a schedule keeps.
	SuccessfulHistory *int32 `json:"successful_jobs_history_limit,omitempty"`
	FailedHistory     *int32 `json:"failed_jobs_history_limit,omitempty"`
}

// ParseRunSettings reads a plan's settings. Those of the engine, which stand beside them, are none of its business.
func ParseRunSettings(values map[string]json.RawMessage) (RunSettings, error) {
	var s RunSettings
	data, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the run's settings of the kubernetes orchestrator: %w", err)
	}
	return s, nil
}

// keeps reports whether a finished pod stays.
func keeps(policy string, failed bool) bool {
	return policy == KeepAll || policy == KeepFailed && failed
}

const (
	// jobBackoff is how often a coordinator may crash or be lost before the run is given up.
	jobBackoff = 10
	// jobTTL is how long a finished run's Job stays, for a look at its pod; what it owns goes with it. keptTTL is how long
	// it stays if it holds pods that were to be kept.
	jobTTL, keptTTL = 60, 24 * 60 * 60
	// deadlineMargin is how many seconds after the engine the Job ends a run that takes too long.
	deadlineMargin = 5 * 60
)

func (s RunSettings) ttl() *int32 {
	switch {
	case s.TTL != nil:
		return s.TTL
	case s.KeepPods == KeepAll || s.KeepPods == KeepFailed:
		return ptr(int32(keptTTL))
	}
	return ptr(int32(jobTTL))
}

func (s RunSettings) backoff() *int32 {
	if s.BackoffLimit != nil {
		return s.BackoffLimit
	}
	return ptr(int32(jobBackoff))
}

func (s RunSettings) deadline() *int64 {
	if s.ActiveDeadline == 0 {
		return nil
	}
	return ptr(s.ActiveDeadline + deadlineMargin)
}

func (s RunSettings) account() string {
	if s.ServiceAccountName != "" {
		return s.ServiceAccountName
	}
	return serviceAccount
}

package run

import (
	"time"

	"github.com/proa-ml/proa/step"
)

// Recorded is an event with its place in the run's history.
type Recorded struct {
	// Seq counts from 1 without gaps.
	Seq   int64
	Time  time.Time
	Event Event
}

// Event is a fact of a run's history. The types below are all there are.
type Event interface {
	// Kind is the fact's name in the metadata store.
	Kind() string
}

// RunStarted is a run's first event.
type RunStarted struct {
	Mode Mode `json:"mode"`
	// Parallelism is the most attempts at a time; 0 means no limit.
	Parallelism int `json:"parallelism,omitempty"`
	// Deadline is how long the run may take; 0 means for ever.
	Deadline time.Duration `json:"deadline,omitempty"`
	Holder   string        `json:"holder"`
}

// RunResumed tells that another coordinator goes on, or the same one after it was restarted.
type RunResumed struct {
	Holder string `json:"holder"`
	Epoch  int64  `json:"epoch"`
	// Before says how the coordinator before ended, if that is known.
	Before string `json:"before,omitempty"`
}

// StepCached ends a step with an earlier run's result.
type StepCached struct {
	Step    string                   `json:"step"`
	Key     string                   `json:"key"`
	From    string                   `json:"from"`
	Outputs map[string]step.Artifact `json:"outputs,omitempty"`
}

// CacheMissed tells that no usable result of an equal step is known, so the step has to run.
type CacheMissed struct {
	Step string `json:"step"`
	Key  string `json:"key"`
}

// AttemptPlanned is the intent to start an attempt; it is recorded before anything is started.
type AttemptPlanned struct {
	Step   string `json:"step"`
	Number int    `json:"number"`
	Name   string `json:"name"`
	Key    string `json:"key"`
}

// AttemptStarted tells that the orchestrator has accepted the attempt.
type AttemptStarted struct {
	Step   string `json:"step"`
	Number int    `json:"number"`
}

// AttemptPending tells why an attempt doesn't run yet.
type AttemptPending struct {
	Step   string `json:"step"`
	Number int    `json:"number"`
	Reason string `json:"reason"`
}

// AttemptRunning tells that the attempt's launcher runs.
type AttemptRunning struct {
	Step   string `json:"step"`
	Number int    `json:"number"`
}

// AttemptStopping tells that the attempt was asked to end.
type AttemptStopping struct {
	Step   string `json:"step"`
	Number int    `json:"number"`
}

// AttemptGone tells that the attempt doesn't run any more, and what the orchestrator makes of it. Whether it left an
// outcome, which would be the truth, is not known yet.
type AttemptGone struct {
	Step     string        `json:"step"`
	Number   int           `json:"number"`
	Failure  *step.Failure `json:"failure,omitempty"`
	ExitCode int           `json:"exitCode"`
}

// AttemptEnded is the one outcome of an attempt that counts.
type AttemptEnded struct {
	Step    string       `json:"step"`
	Number  int          `json:"number"`
	Outcome step.Outcome `json:"outcome"`
	// Retry is when the next attempt may start; nil if the step has ended with this one.
	Retry *time.Time `json:"retry,omitempty"`
}

// AttemptRemoved tells that the orchestrator has forgotten the attempt.
type AttemptRemoved struct {
	Step   string `json:"step"`
	Number int    `json:"number"`
}

// StrayFound tells that the orchestrator runs something that isn't an attempt of this run any more, such as one that a
// coordinator started just as it was replaced. It will be stopped and removed.
type StrayFound struct {
	Name string `json:"name"`
}

// StrayRemoved tells that it was.
type StrayRemoved struct {
	Name string `json:"name"`
}

// StepSkipped ends a step that will not run because of another step's failure.
type StepSkipped struct {
	Step string `json:"step"`
	// Because names the step that failed.
	Because string `json:"because"`
}

// StepCancelled ends a step that will not run because the run was cancelled.
type StepCancelled struct {
	Step string `json:"step"`
}

// CancelRequested tells that the user wants the run to end.
type CancelRequested struct{}

// DeadlineExceeded tells that the run takes longer than it may. What runs is stopped, and the run fails.
type DeadlineExceeded struct{}

// RunEnded is a run's last event.
type RunEnded struct {
	Status Status `json:"status"`
}

// The kinds of the events above.
func (RunStarted) Kind() string       { return "run-started" }
func (RunResumed) Kind() string       { return "run-resumed" }
func (StepCached) Kind() string       { return "step-cached" }
func (CacheMissed) Kind() string      { return "cache-missed" }
func (AttemptPlanned) Kind() string   { return "attempt-planned" }
func (AttemptStarted) Kind() string   { return "attempt-started" }
func (AttemptPending) Kind() string   { return "attempt-pending" }
func (AttemptRunning) Kind() string   { return "attempt-running" }
func (AttemptStopping) Kind() string  { return "attempt-stopping" }
func (AttemptGone) Kind() string      { return "attempt-gone" }
func (AttemptEnded) Kind() string     { return "attempt-ended" }
func (AttemptRemoved) Kind() string   { return "attempt-removed" }
func (StrayFound) Kind() string       { return "stray-found" }
func (StrayRemoved) Kind() string     { return "stray-removed" }
func (StepSkipped) Kind() string      { return "step-skipped" }
func (StepCancelled) Kind() string    { return "step-cancelled" }
func (CancelRequested) Kind() string  { return "cancel-requested" }
func (DeadlineExceeded) Kind() string { return "deadline-exceeded" }
func (RunEnded) Kind() string         { return "run-ended" }

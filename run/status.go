package run

// Status is how far a run is.
type Status string

// The statuses of a run; the last three are final.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Final reports whether a run of this status is over.
func (s Status) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// StepStatus is how far a step of a run is.
type StepStatus string

// The statuses of a step; all but the first three are final.
const (
	// StepWaiting: for other steps, for a free place, for the cache's answer, or for the time of its next attempt.
	StepWaiting StepStatus = "waiting"
	// StepPending: an attempt is planned or accepted, but doesn't run yet.
	StepPending   StepStatus = "pending"
	StepRunning   StepStatus = "running"
	StepSucceeded StepStatus = "succeeded"
	// StepFromCache: its result was taken from an earlier run.
	StepFromCache StepStatus = "cached"
	StepFailed    StepStatus = "failed"
	// StepIsSkipped: it didn't run because another step failed.
	StepIsSkipped   StepStatus = "skipped"
	StepIsCancelled StepStatus = "cancelled"
)

// Final reports whether the step is over.
func (s StepStatus) Final() bool {
	return s != StepWaiting && s != StepPending && s != StepRunning
}

// satisfied reports whether steps that need this one may start.
func (s StepStatus) satisfied() bool { return s == StepSucceeded || s == StepFromCache }

// Mode says what a failed step means for the steps beside it.
type Mode string

// The modes of execution.
const (
	// StopOnFailure lets running steps finish and starts no more. It is the default.
	StopOnFailure Mode = "stop-on-failure"
	// FailFast stops running steps, too.
	FailFast Mode = "fail-fast"
	// ContinueOnFailure runs whatever doesn't depend on the failed step.
	ContinueOnFailure Mode = "continue-on-failure"
)

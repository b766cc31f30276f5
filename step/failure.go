package step

// FailureKind says whose fault a failure is. It decides retries, and it is told to the user in words.
type FailureKind string

// The kinds of failure.
const (
	// FailureUser is an exception in, or a non-zero exit of, the user's code.
	FailureUser FailureKind = "user"
	// FailureOOM is a process killed for using more memory than it may.
	FailureOOM FailureKind = "oom"
	// FailureTimeout is an attempt that ran longer than its time limit.
	FailureTimeout FailureKind = "timeout"
	// FailureEvicted, FailurePreempted and FailureNodeLost are the infrastructure's: they have a retry budget of their own.
	FailureEvicted   FailureKind = "evicted"
	FailurePreempted FailureKind = "preempted"
	FailureNodeLost  FailureKind = "node-lost"
	// FailureImage is an image that can't be pulled or started.
	FailureImage FailureKind = "image"
	// FailureUnschedulable is a pod that no node takes.
	FailureUnschedulable FailureKind = "unschedulable"
	// FailureConfig is a mistake in settings or in the spec that only showed at run time.
	FailureConfig FailureKind = "config"
	// FailureLost is an attempt that vanished without an outcome.
	FailureLost FailureKind = "lost"
	// FailureCancelled is an attempt ended on request.
	FailureCancelled FailureKind = "cancelled"
)

// Infrastructure reports whether the failure is none of the user's doing, so that trying again costs him nothing.
func (k FailureKind) Infrastructure() bool {
	switch k {
	case FailureEvicted, FailurePreempted, FailureNodeLost, FailureLost:
		return true
	}
	return false
}

// Failure explains a failed attempt.
type Failure struct {
	Kind FailureKind `json:"kind"`
	// Type is the exception's class or the cluster's reason, such as "ValueError" or "OOMKilled".
	Type string `json:"type,omitempty"`
	// Message is one line for people.
	Message string `json:"message"`
	// Traceback is the user's part of the traceback, as Python prints it.
	Traceback string `json:"traceback,omitempty"`
}

// Exit codes of the launcher itself. A user's process that ends with one of them is reported by its outcome, which is
// written before the launcher exits; without an outcome, these say what went wrong.
const (
	// ExitUsage: the launcher was started with unusable arguments or environment.
	ExitUsage = 200
	// ExitStore: the artifact store could not be reached or refused.
	ExitStore = 201
	// ExitStart: the runner could not be started.
	ExitStart = 202
	// ExitInternal: a defect of the launcher.
	ExitInternal = 203
	// ExitSuperseded: another outcome had already been stored for this attempt.
	ExitSuperseded = 204
)

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
	// Evidence is what else is known of the end, in one line: exit code, signal, memory used against memory allowed.
	Evidence string `json:"evidence,omitempty"`
}

// Remedy says what to do about a failure of this kind; empty if there is nothing to be done.
func (k FailureKind) Remedy() string {
	switch k {
	case FailureUser:
		return "correct the code and go on from there with `proa runs resume`"
	case FailureOOM:
		return `give the step more with resources=Resources(memory=...), or let it grow: retry=Retry(on_oom=OnOOM(max_memory="16Gi"))`
	case FailureTimeout:
		return "see in its log what took so long, or raise the step's timeout; waiting for a node doesn't count in it"
	case FailureEvicted, FailurePreempted, FailureNodeLost:
		return "the cluster did it, not the step: go on with `proa runs resume`, or have it tried more often with Retry(infrastructure=10)"
	case FailureImage:
		return "check that the image exists and that the cluster's nodes reach its registry and may read from it: `proa stack check`"
	case FailureUnschedulable:
		return "ask for less (resources, node_selectors, affinity), make room, tolerate the taints, or raise pending_timeout"
	case FailureConfig:
		return "correct the setting that the message names, then `proa runs resume`"
	case FailureLost:
		return "somebody or something deleted it; keep_pods=failed keeps what is left, and `proa runs resume` goes on"
	case FailureCancelled:
	}
	return ""
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
	// ExitSuperseded: another launcher had begun this attempt, or stored its outcome.
	ExitSuperseded = 204
)

// Package driver is the contract between the engine and an orchestrator flavor: something that runs one attempt of a
// step somewhere and tells the truth about it.
package driver

import (
	"context"
	"encoding/json"
	"time"

	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// Attempt is one attempt to start. Its invocation is already in the artifact store when Start is called.
type Attempt struct {
	Run      string
	RunName  string
	Pipeline string
	Step     string
	Number   int
	// Name is deterministic and unique: starting the same name twice is one attempt.
	Name string
	// Image is a reference by digest; empty on orchestrators that use no images.
	Image string
	// User is the numeric user, and group if need be, to run as; empty means the orchestrator's choice.
	User      string
	Resources *spec.Resources
	// Settings are the orchestrator's settings for this step, already merged and checked.
	Settings map[string]json.RawMessage
	// Timeout and Grace are as in the Invocation. The launcher enforces them; an orchestrator may add a wider bound.
	Timeout, Grace time.Duration
}

// Phase is where an attempt is.
type Phase string

// The phases of an attempt, in order. An attempt may skip phases; it never goes back.
const (
	// Pending: accepted, not running yet; Status.Reason says why.
	Pending Phase = "pending"
	// Running: the launcher runs.
	Running Phase = "running"
	// Ended: the container or process is gone or will not run again. Status.Outcome is set if the orchestrator was told;
	// otherwise the engine looks for a stored outcome and, if there is none, believes Status.Failure.
	Ended Phase = "ended"
)

// Status is what an orchestrator knows about an attempt.
type Status struct {
	// Attempt is the attempt's name.
	Attempt string
	Phase   Phase
	// Reason is for people: why it is pending ("pulling image", "0/3 nodes are available: insufficient memory").
	Reason string
	// Outcome came through the completion channel, or by another way that proves it was stored.
	Outcome *step.Outcome
	// Failure says what ended an attempt, in case it left no outcome. An attempt that ended in silence is FailureLost:
	// absence is never success.
	Failure *step.Failure
	// ExitCode is the container's or process's, if known; -1 if not.
	ExitCode int
}

// Events receives what an orchestrator has to tell. Its methods may be called from several goroutines and do not block
// for long.
type Events interface {
	// Status reports a change. The same status may be reported more than once.
	Status(Status)
	// Log reports bytes that an attempt wrote, in order, from the given offset on. Best effort: the log object in the
	// artifact store is the whole truth.
	Log(attempt string, offset int64, data []byte)
}

// Orchestrator runs attempts.
//
// All methods are safe for concurrent use and idempotent: after a crash the engine calls them again with the same
// arguments. An error for which errdefs say "unavailable" (see package orchestrator) is retried; any other is final.
type Orchestrator interface {
	// Start makes the attempt exist. Starting a name that exists already, in whatever phase, succeeds and changes nothing.
	// An error for which errdefs say "queued" (see package orchestrator) means that it will, unless this process ends first.
	Start(ctx context.Context, a Attempt) error
	// Watch reports the status of every attempt of the run that exists, and then every change, until ctx ends. It
	// recovers from broken connections by itself and returns only ctx's error or a final one. known lists the attempts
	// the engine believes exist: those that the orchestrator doesn't find are reported as Ended, lost.
	Watch(ctx context.Context, run string, known []string, events Events) error
	// Stop asks the attempt to end: SIGTERM, then SIGKILL after grace. It returns without waiting for the end, which
	// Watch reports. Stopping again can only shorten the grace. Stopping what doesn't exist succeeds.
	Stop(ctx context.Context, attempt string, grace time.Duration) error
	// Remove forgets an attempt whose outcome was recorded, and frees what it holds. failed says whether it failed, for
	// orchestrators that keep failed attempts for inspection. Removing what doesn't exist succeeds.
	Remove(ctx context.Context, attempt string, failed bool) error
	// Close ends what was started for this process; attempts of orchestrators that outlive it go on.
	Close() error
}

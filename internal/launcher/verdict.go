package launcher

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proa-ml/proa/internal/proc"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// ending is all that is known about how a step ended.
type ending struct {
	// started says that the runner ran; if not, reserved and failure say why, and what follows is empty.
	started  bool
	reserved int
	failure  *step.Failure

	start, end time.Time
	exit       proc.Exit
	cause      cause
	// limit is the time that the step had.
	limit time.Duration
	// oom says that the kernel killed something of this container for its memory.
	oom bool
	// result is the runner's answer, if it gave one that can be read.
	result    *step.Result
	resultErr error
	// tail is the end of the step's output.
	tail string
}

// code is the launcher's exit code for an ending that isn't a success.
func (e ending) code() int {
	switch {
	case e.exit.Code != 0:
		return e.exit.Code
	case e.cause != none:
		return 128 + int(syscall.SIGTERM)
	case !e.started && e.reserved != 0:
		return e.reserved
	}
	return 1
}

// judge says what an ending means, given the outputs that were asked for.
func judge(e ending, outputs []spec.Output) (step.Status, *step.Failure) {
	switch {
	case e.succeeded() && e.cause != timedOut:
		if missing := missingOutput(e.result, outputs); missing != "" {
			return step.Failed, &step.Failure{Kind: step.FailureUser, Message: fmt.Sprintf("the runner saved no output %q", missing)}
		}
		return step.Succeeded, nil
	case e.cause == timedOut:
		return step.Failed, &step.Failure{
			Kind: step.FailureTimeout, Message: fmt.Sprintf("ran longer than its time limit of %v", e.limit), Traceback: e.traceback(),
		}
	case e.cause != none:
		return step.Cancelled, &step.Failure{Kind: step.FailureCancelled, Message: "ended on request before it was done"}
	case !e.started:
		return step.Failed, e.failure
	}
	return step.Failed, e.ownFailure()
}

func (e ending) succeeded() bool {
	return e.started && e.exit.Code == 0 && e.resultErr == nil && e.result != nil && e.result.Failure == nil
}

// ownFailure explains a failure that nobody else brought about.
func (e ending) ownFailure() *step.Failure {
	// An exception that the runner could report is told as it was, except when something was killed for its memory:
	// then "a worker died" is no explanation.
	if e.oom && (e.exit.Signal == syscall.SIGKILL || e.result == nil) {
		return &step.Failure{Kind: step.FailureOOM, Type: "OOMKilled", Message: "killed for using more memory than it may", Traceback: e.tail}
	}
	if e.result != nil && e.result.Failure != nil {
		f := *e.result.Failure
		if f.Kind == "" {
			f.Kind = step.FailureUser
		}
		return &f
	}
	f := &step.Failure{Kind: step.FailureUser, Traceback: e.tail}
	switch {
	case e.exit.Signal != 0:
		f.Message = "killed by signal " + unix.SignalName(e.exit.Signal)
	case e.exit.Code != 0:
		f.Message = fmt.Sprintf("exit code %d", e.exit.Code)
	case e.resultErr != nil:
		f.Message = e.resultErr.Error()
	default:
		f.Message = "the step's process ended with exit code 0 before the step was done: nothing was saved; was os._exit called?"
	}
	return f
}

// traceback is what the runner reported, or else the end of the output.
func (e ending) traceback() string {
	if e.result != nil && e.result.Failure != nil && e.result.Failure.Traceback != "" {
		return e.result.Failure.Traceback
	}
	return e.tail
}

func missingOutput(result *step.Result, outputs []spec.Output) string {
	for _, o := range outputs {
		if _, ok := result.Outputs[o.Name]; !ok {
			return o.Name
		}
	}
	return ""
}

// outcome makes the outcome of an ending; outputs and log aren't in it yet.
func (l *launcher) outcome(e ending) step.Outcome {
	o := step.Outcome{
		APIVersion: spec.APIVersion,
		Run:        l.inv.Run, Step: l.inv.Step, Attempt: l.inv.Attempt, Name: l.inv.Name,
		ExitCode: e.exit.Code,
		Usage:    step.Usage{Wall: e.exit.Wall, CPU: e.exit.CPU, PeakRSS: e.exit.PeakRSS},
		Started:  e.start.UTC(), Ended: e.end.UTC(),
	}
	if !e.started {
		o.ExitCode, o.Started, o.Ended = -1, l.begin.UTC(), l.Now().UTC()
	}
	if e.exit.Signal != 0 {
		o.Signal = unix.SignalName(e.exit.Signal)
	}
	o.Status, o.Failure = judge(e, l.inv.Outputs)
	o.Times = &step.Times{Received: l.begin.UTC()}
	if e.result != nil {
		o.Times.Called, o.Times.Returned = moment(e.result.Times.Called), moment(e.result.Times.Returned)
	}
	return o
}

// moment is a time that a runner gave in seconds since 1970.
func moment(seconds float64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6)).UTC()
}

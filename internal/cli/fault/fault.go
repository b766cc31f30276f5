// Package fault is how commands fail: the one error type of the command line, with what to type next, and the one place
// that maps errors to exit codes.
package fault

import (
	"context"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/stack"
)

// Code is an exit code of proa.
type Code int

// The exit codes.
const (
	OK             Code = 0
	StepFailed     Code = 1
	Usage          Code = 2
	Cancelled      Code = 3
	Configuration  Code = 4
	Infrastructure Code = 5
)

// Error is a failure of a command.
type Error struct {
	Code Code
	Err  error
	// Hint is what to type or do next.
	Hint string
	// Told says that the user has seen the failure already, as the progress of a run, so that it isn't printed again.
	Told bool
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// New makes an Error.
func New(code Code, hint, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...), Hint: hint}
}

// With gives an error a code and a hint unless it has its own.
func With(code Code, hint string, err error) error {
	if err == nil || CodeOf(err) != Infrastructure {
		return err
	}
	return &Error{Code: code, Err: err, Hint: hint}
}

// CodeOf maps an error to the exit code. What nobody foresaw counts as a fault of the infrastructure.
func CodeOf(err error) Code {
	var own *Error
	var mistake *stack.Error
	var exit interface{ ExitCode() int }
	switch {
	case err == nil:
		return OK
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &mistake):
		return Configuration
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return Code(exit.ExitCode())
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Infrastructure
}

// HintOf returns an error's hint; empty if it has none.
func HintOf(err error) string {
	var own *Error
	if errors.As(err, &own) && own.Hint != "" {
		return own.Hint
	}
	var mistake *stack.Error
	if errors.As(err, &mistake) {
		return mistake.Hint
	}
	return ""
}

// Told reports whether the user has seen the error already.
func Told(err error) bool {
	var own *Error
	return errors.As(err, &own) && own.Told
}

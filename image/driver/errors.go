package driver

import "errors"

// Errors that callers tell apart; builders wrap them with what happened and what to do.
var (
	// ErrUnavailable: the registry can't be reached now; the same call may succeed later.
	ErrUnavailable = errors.New("registry is unavailable")
	// ErrIndex: the package index can't be reached now; the same call may succeed later.
	ErrIndex = errors.New("package index is unavailable")
	// ErrEngine: the container engine can't be reached now.
	ErrEngine = errors.New("container engine is unavailable")
	// ErrRefused: the registry wants other credentials, or this user may not do that.
	ErrRefused = errors.New("registry refused")
	// ErrInvalid: the request can't be built as it is: no such base, unsolvable requirements, unreadable code.
	ErrInvalid = errors.New("image can't be built")
	// ErrNotFound: the registry has no such image, or an image has no such thing.
	ErrNotFound = errors.New("not in the registry")
)

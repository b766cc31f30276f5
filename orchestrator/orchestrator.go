// Package orchestrator names what orchestrators have in common on the caller's side: the names of attempts and the
// errors that the engine tells apart.
package orchestrator

import "errors"

// ErrUnavailable is what an orchestrator's error wraps if the same call may succeed later: the cluster can't be
// reached, or throttles. The engine waits and tries again; any other error is final.
var ErrUnavailable = errors.New("orchestrator is unavailable")

// ErrQueued is what Start's error wraps if the attempt waits in the orchestrator's memory for a place that another one
// has. It starts when there is one. To be sure of it, across the orchestrator's own end, the caller starts it again until
// there is no such error; Stop and Remove take it out.
var ErrQueued = errors.New("waiting for a place")

// ErrNoRoom is what Start's error wraps if there is no room for this attempt now, by a quota. There is nothing wrong with the
// orchestrator: others may be started, and this one once there is room.
var ErrNoRoom = errors.New("waiting for room")

// ErrHeldUp is what Start's error wraps if something has to be asked about this attempt first that does not answer. There is
// nothing wrong with the orchestrator: others may be started, and this one once there is an answer.
var ErrHeldUp = errors.New("held up")

// ErrGone is what the error of who follows a run wraps if nothing of it is left where it ran, so that nobody drives it.
var ErrGone = errors.New("the run has nothing left")

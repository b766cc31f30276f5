// Package orchestrator names what orchestrators have in common on the caller's side: the names of attempts and the
// errors that the engine tells apart.
package orchestrator

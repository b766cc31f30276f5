// Package run is the engine: it drives one run of a plan to its end, on any orchestrator and any stores.
//
// Its core is pure. A run's truth is its list of events; [state] is what folding them gives (apply.go). Four functions
// without I/O, clock or randomness do all the thinking:
//
//	observe (observe.go)  what was seen from outside  -> the events that this makes true
//	next    (next.go)     the state and the time      -> the events that are decided: attempts, skips, the end
//	apply   (apply.go)    a state and an event        -> the state after it
//	effects (effect.go)   the state                   -> what has to be done in the world because of it
//
// A [coordinator] (coordinator.go) turns them: it gathers what was seen, lets it become events, commits all of them with
// their projections in one transaction, and only then does what the state asks for. Effects follow from recorded facts
// alone and are idempotent, so a coordinator that died between any two instructions is replaced by one that folds the
// events and does what is then still asked for. [Execute] (execute.go) adds the goroutines, the lease and the waiting;
// the simulation (sim_test.go) drives the same coordinator through thousands of bad days instead.
package run

// Package drivertest is the conformance suite of orchestrators: what package driver promises, checked against the world.
package drivertest

import (
	"context"
	"testing"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
)

// Store is the part of an artifact store that the suite needs.
type Store interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte) error
}

// Harness is what an orchestrator's own test provides. The suite makes the runs and attempts, and puts the invocations
// into the store; their runner is the program of package script.
type Harness struct {
	// Open opens an orchestrator for a run. Opening a run twice is what a restarted coordinator does. The suite closes it.
	Open func(t *testing.T, run string) driver.Orchestrator
	// Store is the store that the launchers use, too.
	Store Store
	// Command starts script.Main with the arguments that are added to it, Dir and Env as in an Invocation.
	Command []string
	Dir     string
	Env     map[string]string
	// Image holds launcher and runner, on orchestrators that use images.
	Image string
	// Outlives says that attempts go on when the orchestrator was closed, and that another one finds them.
	Outlives bool
	// Patience bounds every wait; 0 means 30 seconds.
	Patience time.Duration
}

// Run checks an orchestrator.
func Run(t *testing.T, h Harness) {
	if h.Patience <= 0 {
		h.Patience = 30 * time.Second
	}
	if h.Dir == "" {
		h.Dir = "/"
	}
	for _, tt := range []struct {
		name string
		test func(*world)
	}{
		{"Success", testSuccess},
		{"Failure", testFailure},
		{"KilledByItself", testSignal},
		{"DataPassesFromStepToStep", testData},
		{"StartTwice", testStartTwice},
		{"StartAfterTheEnd", testStartAfterTheEnd},
		{"WatchTellsOfThePast", testReplay},
		{"WatchReportsUnknownNamesLost", testUnknown},
		{"WatchesAreApart", testApart},
		{"WatchEndsWithItsContext", testWatchEnds},
		{"StopIsGraceful", testStop},
		{"StopIsForcedInTheEnd", testForce},
		{"StopBeforeAnythingHappened", testStopEarly},
		{"StopOfNothing", testStopNothing},
		{"Remove", testRemove},
		{"TimeLimit", testTimeLimit},
		{"LogsComeInOrder", testLogs},
		{"Many", testMany},
		{"OneAfterTheOther", testOneAfterTheOther},
		{"Reopen", testReopen},
		{"ReopenLater", testReopenLater},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(newWorld(t, h)) })
	}
}

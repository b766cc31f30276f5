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

// Package drivertest is the conformance suite of metadata stores.
package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

// Fresh makes an empty database. The function it returns opens that same database, each time anew; what it opens is
// closed when the test ends.
type Fresh func(t *testing.T) (open func(t *testing.T) driver.Store)

// Run tests a metadata store.
func Run(t *testing.T, fresh Fresh) {
	t.Helper()
	tests := map[string]func(t *testing.T, open func(t *testing.T) driver.Store){
		"runs":               testRuns,
		"run names":          testRunNames,
		"run conflicts":      testRunConflicts,
		"run listing":        testRunListing,
		"pipelines":          testPipelines,
		"big documents":      testBigDocuments,
		"leases":             testLeases,
		"lease race":         testLeaseRace,
		"commit":             testCommit,
		"commit repeated":    testCommitRepeated,
		"commit fenced":      testCommitFenced,
		"commit gaps":        testCommitGaps,
		"big commit":         testBigCommit,
		"parallel commits":   testParallelCommits,
		"rivals' commits":    testRivalCommits,
		"cache":              testCache,
		"cache clearing":     testCacheClearing,
		"cancel and delete":  testCancelDelete,
		"missing runs":       testMissing,
		"cancelled contexts": testContext,
		"open again":         testReopen,
		"identity":           testIdentity,
		"identity race":      testIdentityRace,
		"pair":               testPair,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// noon is a time that every store keeps exactly.
func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC) }

// newRun returns a run with every field set.
func newRun(id string) driver.Run {
	return driver.Run{
		ID: id, Name: "pipeline-" + id, Pipeline: "pipeline", Stack: "stack", Orchestrator: "kubernetes", Context: "context",
		Namespace: "proa", Status: "pending", Spec: json.RawMessage(`{"b": 1,  "a":"<é>"}`), Plan: json.RawMessage(`{}`), Created: noon(),
	}
}

func create(t *testing.T, s driver.Store, r driver.Run) driver.Run {
	t.Helper()
	if err := s.CreateRun(t.Context(), r); err != nil {
		t.Fatalf("creating the run: %v", err)
	}
	return r
}

// lease creates a run and takes its lease.
func lease(t *testing.T, s driver.Store, id string) driver.Lease {
	t.Helper()
	create(t, s, newRun(id))
	l, err := s.Acquire(t.Context(), id, "holder", noon(), time.Minute, false)
	if err != nil {
		t.Fatalf("taking the lease: %v", err)
	}
	return l
}

func events(from, to int64) []driver.Event {
	var all []driver.Event
	for seq := from; seq <= to; seq++ {
		all = append(all, driver.Event{Seq: seq, Time: noon().Add(time.Duration(seq) * time.Second), Kind: "step.started",
			Data: json.RawMessage(fmt.Sprintf(`{"n": %d,"text":"it's \\ \"ö\" 😀"}`, seq))})
	}
	return all
}

func commit(t *testing.T, s driver.Store, c driver.Commit) {
	t.Helper()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatalf("committing: %v", err)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not as wanted (-want +got):\n%s", what, diff)
	}
}

func wantEvents(t *testing.T, s driver.Store, run string, want []driver.Event) {
	t.Helper()
	got, err := s.Events(t.Context(), run, 0)
	if err != nil {
		t.Fatalf("reading the events: %v", err)
	}
	equal(t, "the list of events", got, want)
}

func artifact(digest string) step.Artifact {
	return step.Artifact{Digest: digest, Type: "builtins.int", Materializer: "proa:Int", Size: 7, Preview: "int 7"}
}

// fullStep returns a step with every field set.
func fullStep(run, name string, index int) driver.Step {
	return driver.Step{
		Run: run, Name: name, Index: index, Status: "failed", Attempt: 2, AttemptName: "attempt-" + name, CacheKey: "sha256:key",
		CachedFrom: "other", Outputs: map[string]step.Artifact{"output": artifact("sha256:1")},
		Failure: &step.Failure{Kind: step.FailureUser, Type: "ValueError", Message: "no", Traceback: strings.Repeat("line\n", 10)},
		Usage:   step.Usage{Wall: time.Second, CPU: time.Millisecond, PeakRSS: 1 << 33}, Log: "runs/log",
		Started: noon(), Ended: noon().Add(time.Second),
	}
}

func testContext(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, driver.Commit{Lease: l, Events: events(1, 1)}); err == nil {
		t.Error("a commit with a cancelled context succeeded")
	}
	if _, err := s.Runs(ctx, driver.Query{}); err == nil {
		t.Error("a listing with a cancelled context succeeded")
	}
	commit(t, s, driver.Commit{Lease: l, Events: events(1, 1)})
}

func testReopen(t *testing.T, open func(t *testing.T) driver.Store) {
	first := open(t)
	l := lease(t, first, "a")
	commit(t, first, driver.Commit{Lease: l, Events: events(1, 3), Steps: []driver.Step{fullStep("a", "s", 0)}})
	second := open(t)
	wantEvents(t, second, "a", events(1, 3))
	commit(t, second, driver.Commit{Lease: l, Events: events(4, 4)})
	wantEvents(t, first, "a", events(1, 4))
}

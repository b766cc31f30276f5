// Package driver is the contract between proa and a metadata store: facts about runs, kept in a database.
//
// A run's truth is its list of events. Everything else (the status of a run, its steps, the cache, lineage) is a
// projection written in the same transaction, so that reading never has to fold events.
package driver

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/proa-ml/proa/step"
)

// Errors that callers tell apart; implementations wrap them.
var (
	// ErrNotFound: no such run.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a run of that id or name exists already.
	ErrConflict = errors.New("already exists")
	// ErrFenced: another coordinator has taken the run over; the caller must stop at once.
	ErrFenced = errors.New("run was taken over by another coordinator")
	// ErrUnavailable: the database can't be reached now; the same call may succeed later.
	ErrUnavailable = errors.New("metadata store is unavailable")
)

// Run is one run of a pipeline.
type Run struct {
	// ID is random, lower-case base32 or hex, and part of names of cluster objects.
	ID string
	// Name is unique in the store and made for people: "<pipeline>-2026-11-24-08-31-07-123456".
	Name     string
	Pipeline string
	Stack    string
	// Orchestrator is the flavor, Context and Namespace where it runs; both empty on a local one.
	Orchestrator, Context, Namespace string
	// Status is a run.Status: "running", "succeeded", "failed", "cancelled"; a new run is "pending".
	Status string
	// Spec and Plan are the frozen documents the run is made from.
	Spec, Plan json.RawMessage
	Created    time.Time
	Started    time.Time
	Ended      time.Time
	// CancelRequested is set by RequestCancel and read by the coordinator at each renewal of its lease.
	CancelRequested bool
}

// Step is the projection of one step of a run.
type Step struct {
	Run  string
	Name string
	// Index is its place in the plan's order.
	Index int
	// Status is "waiting", "pending", "running", "succeeded", "cached", "failed", "skipped" or "cancelled".
	Status string
	// Attempt is the number of the latest attempt; 0 if none was needed. AttemptName is its name.
	Attempt     int
	AttemptName string
	CacheKey    string
	// CachedFrom is the id of the run whose result was taken.
	CachedFrom string
	Outputs    map[string]step.Artifact
	Failure    *step.Failure
	Usage      step.Usage
	Log        string
	Started    time.Time
	Ended      time.Time
}

// Event is one recorded fact of a run.
type Event struct {
	// Seq counts from 1 without gaps.
	Seq  int64
	Time time.Time
	// Kind and Data belong to the engine; the store doesn't look into them.
	Kind string
	Data json.RawMessage
}

// CacheEntry remembers that a step with this key gave these outputs.
type CacheEntry struct {
	Key     string
	Run     string
	Step    string
	Outputs map[string]step.Artifact
	Created time.Time
}

// Lease says who may write a run. The epoch grows by one with each new holder.
type Lease struct {
	Run     string
	Holder  string
	Epoch   int64
	Expires time.Time
	// CancelRequested is the run's, so that a renewal tells of it; only Acquire sets it.
	CancelRequested bool
}

// Commit is what one turn of the engine's loop writes, in one transaction.
type Commit struct {
	Lease  Lease
	Events []Event
	// Run's status and times are updated if it is not nil. Its other fields are ignored.
	Run *Run
	// Steps and Cache are inserted or replaced.
	Steps []Step
	Cache []CacheEntry
}

// Query selects runs, newest first.
type Query struct {
	// Pipeline and Status restrict the answer if not empty.
	Pipeline, Status string
	// Before is the name of the last run of the previous page.
	Before string
	// Limit is the most to return; 0 means 50.
	Limit int
}

// Pipeline is what the store knows of the pipelines of one name.
type Pipeline struct {
	Name string
	// Runs is how many there are, Last the newest of them, without its Spec and Plan.
	Runs int
	Last Run
}

// Writer is the engine's side.
type Writer interface {
	// CreateRun adds a run. ErrConflict if its id or name exists.
	CreateRun(ctx context.Context, r Run) error
	// Acquire takes the run's lease for ttl if it is free, expired at now, or already the holder's (which renews it and
	// keeps the epoch); force takes it in any case. Otherwise it returns the present lease and ErrConflict.
	Acquire(ctx context.Context, run, holder string, now time.Time, ttl time.Duration, force bool) (Lease, error)
	// Commit writes one turn. ErrFenced if the lease's epoch is not the run's present one. A Commit whose first event's
	// Seq is already recorded with equal data is a repetition after a lost reply, and succeeds without writing; with other
	// data it is ErrConflict. ErrNotFound if there is no such run.
	Commit(ctx context.Context, c Commit) error
	// RequestCancel asks the run's coordinator to cancel it. ErrNotFound if there is no such run.
	RequestCancel(ctx context.Context, run string) error
	// DeleteRun removes a run and all that belongs to it but cache entries. ErrNotFound if there is no such run.
	DeleteRun(ctx context.Context, run string) error
}

// Reader is everybody's side.
type Reader interface {
	// Run finds a run by id or name. ErrNotFound if there is none.
	Run(ctx context.Context, idOrName string) (Run, error)
	// Runs lists runs without their Spec and Plan.
	Runs(ctx context.Context, q Query) ([]Run, error)
	// Pipelines lists the pipelines that have runs, by name. It must not read every run to do so; an index will do.
	Pipelines(ctx context.Context) ([]Pipeline, error)
	// Steps returns a run's steps in the plan's order.
	Steps(ctx context.Context, run string) ([]Step, error)
	// Events returns the events of a run with Seq > after, in order.
	Events(ctx context.Context, run string, after int64) ([]Event, error)
	// Cached returns the newest entry for each key that has one.
	Cached(ctx context.Context, keys []string) (map[string]CacheEntry, error)
}

// Cacher is for those that clear out what is remembered of results.
type Cacher interface {
	// Cache lists all entries in an order of the store's own, at most limit of them, from behind the entry of the key
	// after, which needn't be there any more; empty for the first ones.
	Cache(ctx context.Context, after string, limit int) ([]CacheEntry, error)
	// DeleteCached forgets results. Forgetting what isn't there succeeds.
	DeleteCached(ctx context.Context, keys []string) error
}

// Store is a metadata store. Its methods may be called from several goroutines. Times are kept in UTC to the microsecond.
type Store interface {
	Writer
	Reader
	Cacher
	Identifier
	Close() error
}

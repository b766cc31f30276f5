package run

import (
	"sync"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator/driver"
)

// report is what a goroutine tells the loop.
type report struct {
	// seen is nil if there is nothing to see.
	seen observation
	// effect, if not nil, is over. With an error it has to be done again.
	effect effect
	// watchEnded tells that the orchestrator's watch is over.
	watchEnded bool
	err        error
}

// inbox holds reports until the loop takes all of them at once. It never makes a sender wait.
type inbox struct {
	mu      sync.Mutex
	reports []report
	// filled has a value when there may be reports.
	filled chan struct{}
}

func newInbox() *inbox { return &inbox{filled: make(chan struct{}, 1)} }

func (in *inbox) put(r report) {
	in.mu.Lock()
	in.reports = append(in.reports, r)
	in.mu.Unlock()
	select {
	case in.filled <- struct{}{}:
	default:
	}
}

func (in *inbox) take() []report {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := in.reports
	in.reports = nil
	return all
}

// sink receives what the orchestrator has to tell.
type sink struct {
	in   *inbox
	logs *logbook
}

var _ driver.Events = sink{}

// Status passes a status to the loop. An outcome whose log didn't come along is left out: the loop then fetches it from the
// artifact store, and the log with it.
func (k sink) Status(s driver.Status) {
	if s.Phase == driver.Ended && s.Outcome != nil && s.Outcome.Log != "" && !k.logs.arrived(s.Attempt) {
		s.Outcome = nil
	}
	k.in.put(report{seen: statusSeen{s}})
}

// Log passes bytes of a log to the observer.
func (k sink) Log(attempt string, offset int64, data []byte) { k.logs.add(attempt, offset, data) }

// taken makes what is seen of a lease that was acquired or renewed.
func taken(l mdriver.Lease) observation {
	if l.CancelRequested {
		return cancelAsked{}
	}
	return nil
}

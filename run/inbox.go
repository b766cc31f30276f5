package run

import (
	"sync"
	"time"

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
	// at is when it was put into the inbox.
	at time.Time
}

// patient reports whether nothing follows from a report but that it is recorded: it may wait for others, with which it then
// shares a transaction.
func (r report) patient() bool {
	if r.err != nil || r.watchEnded {
		return false
	}
	switch seen := r.seen.(type) {
	case statusSeen:
		return seen.Phase != driver.Ended
	case startDone:
		return seen.failure == nil
	case removeDone:
		e, ok := r.effect.(remove)
		return ok && !e.failed // the next attempt waits for the end of a failed one
	}
	return false
}

// inbox holds reports until the loop takes all of them at once. It never makes a sender wait.
type inbox struct {
	now     func() time.Time
	mu      sync.Mutex
	reports []report
	// filled has a value when there are reports, pressing when one of them isn't patient.
	filled, pressing chan struct{}
}

func newInbox(now func() time.Time) *inbox {
	return &inbox{now: now, filled: make(chan struct{}, 1), pressing: make(chan struct{}, 1)}
}

func (in *inbox) put(r report) {
	in.mu.Lock()
	defer in.mu.Unlock()
	r.at = in.now()
	in.reports = append(in.reports, r)
	signal(in.filled)
	if !r.patient() {
		signal(in.pressing)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (in *inbox) take() []report {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := in.reports
	in.reports = nil
	unsignal(in.filled)
	unsignal(in.pressing)
	return all
}

func unsignal(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
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

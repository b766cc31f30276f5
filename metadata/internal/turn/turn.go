// Package turn holds the decisions that every metadata store makes alike: who gets a lease, and which events of a commit
// are new. It does no I/O.
package turn

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
)

// maxID is how long a run's id may be.
const maxID = 64

// CheckRun refuses a run that can't be stored.
func CheckRun(r driver.Run) error {
	for _, c := range r.ID {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("a run's id must be lower-case letters, digits and dashes, not %q", r.ID)
		}
	}
	if r.ID == "" || len(r.ID) > maxID {
		return fmt.Errorf("a run's id must have 1 to %d characters, not %d", maxID, len(r.ID))
	}
	if r.Name == "" {
		return errors.New("a run must have a name")
	}
	return nil
}

// Grant decides whether holder gets the lease, and returns the lease as it is afterwards.
func Grant(present driver.Lease, holder string, now time.Time, ttl time.Duration, force bool) (driver.Lease, bool) {
	held := present.Epoch > 0 && present.Expires.After(now)
	own := present.Epoch > 0 && present.Holder == holder
	if held && !own && !force {
		return present, false
	}
	if !own {
		present.Epoch++
	}
	present.Holder, present.Expires = holder, Time(now.Add(ttl))
	return present, true
}

// Check refuses a commit whose events aren't consecutive.
func Check(c driver.Commit) error {
	for i, e := range c.Events {
		if want := c.Events[0].Seq + int64(i); e.Seq != want || e.Seq < 1 {
			return fmt.Errorf("event %d of the commit has number %d, not %d", i, e.Seq, max(want, 1))
		}
	}
	return nil
}

// Fenced returns ErrFenced if the commit's epoch is not the run's.
func Fenced(c driver.Commit, epoch int64) error {
	if c.Lease.Epoch == epoch {
		return nil
	}
	return fmt.Errorf("the lease has epoch %d, the run has %d: %w", c.Lease.Epoch, epoch, driver.ErrFenced)
}

// Fresh returns the events that are still to be written, given the number of the last recorded event, and the recorded
// events from the commit's first one on. repeated says that all of them are recorded already.
func Fresh(last int64, recorded, events []driver.Event) (fresh []driver.Event, repeated bool, err error) {
	if len(events) == 0 {
		return nil, false, nil
	}
	if events[0].Seq > last+1 {
		return nil, false, fmt.Errorf("event %d would leave a gap: the last one recorded is %d", events[0].Seq, last)
	}
	for i, e := range events {
		if e.Seq > last {
			return events[i:], false, nil
		}
		if i >= len(recorded) || !same(recorded[i], e) {
			return nil, false, fmt.Errorf("another event is recorded under number %d: %w", e.Seq, driver.ErrConflict)
		}
	}
	return nil, true, nil
}

func same(a, b driver.Event) bool {
	return a.Seq == b.Seq && a.Kind == b.Kind && bytes.Equal(a.Data, b.Data)
}

// Time returns t as a store keeps it.
func Time(t time.Time) time.Time { return FromMicros(Micros(t)) }

// Micros returns t in microseconds since 1970; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros undoes Micros.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Limit returns how many runs a query may return.
func Limit(q driver.Query) int {
	if q.Limit <= 0 {
		return 50
	}
	return q.Limit
}

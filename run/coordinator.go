package run

import (
	"context"
	"fmt"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
)

// coordinator is the engine without its goroutines and its waiting: the one that holds the run's lease calls its methods in
// this order, again and again, until the run has ended:
//
//	turn      what was seen becomes events, and events become decisions
//	commit    all of them are recorded; until this has succeeded there is no further turn
//	take      what the recorded state asks for and is not under way yet
//	perform   doing one of these things, anywhere and in any order, which gives the next turn something to see
type coordinator struct {
	parts parts
	state *state
	desk  *desk
	lease driver.Lease
	// unrecorded is the commit that has to be made before anything else; fresh are its events.
	unrecorded *driver.Commit
	fresh      []Recorded
}

// load folds what is recorded of a run whose lease is held.
func load(ctx context.Context, p parts, r driver.Run, lease driver.Lease) (*coordinator, []Recorded, error) {
	s, err := newState(r)
	if err != nil {
		return nil, nil, err
	}
	rows, err := p.Metadata.Events(ctx, r.ID, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the events of run %s: %w", r.Name, err)
	}
	past := make([]Recorded, len(rows))
	for i, row := range rows {
		if past[i], err = Decode(row); err != nil {
			return nil, nil, fmt.Errorf("run %s: %w", r.Name, err)
		}
		apply(s, past[i])
	}
	clear(s.dirty)
	return &coordinator{parts: p, state: s, desk: newDesk(), lease: lease}, past, nil
}

// turn lets what was seen become events and decisions. They are applied, and wait to be recorded.
func (c *coordinator) turn(seen []observation, now time.Time) error {
	now = moment(now)
	for _, o := range seen {
		at := now
		if t, ok := o.(timed); ok {
			o, at = t.observation, moment(t.at)
		}
		for _, e := range observe(c.state, o, at) {
			c.add(e, at)
		}
	}
	for e := range next(c.state, now) {
		c.add(e, now)
	}
	if len(c.fresh) == 0 {
		return nil
	}
	commit, err := commitOf(c.state, c.lease, c.fresh)
	c.unrecorded = &commit
	return err
}

// moment is what a database keeps of a time.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// add applies a new event.
func (c *coordinator) add(e Event, now time.Time) {
	r := Recorded{Seq: c.state.seq + 1, Time: now, Event: e}
	apply(c.state, r)
	c.fresh = append(c.fresh, r)
}

// commit records the turn, and returns what is now recorded. After an error for which the store is only unavailable the
// same call has to be made again.
func (c *coordinator) commit(ctx context.Context) ([]Recorded, error) {
	if c.unrecorded == nil {
		return nil, nil
	}
	if err := c.parts.Metadata.Commit(ctx, *c.unrecorded); err != nil {
		return nil, fmt.Errorf("recording the run's progress: %w", err)
	}
	fresh := c.fresh
	c.unrecorded, c.fresh = nil, nil
	return fresh, nil
}

// take returns the effects to begin now.
func (c *coordinator) take(now time.Time) []effect {
	if c.unrecorded != nil {
		return nil
	}
	return c.desk.take(effects(c.state), now)
}

// wake returns when the coordinator has something to do even if nothing is seen until then; zero if it has not.
func (c *coordinator) wake(now time.Time) time.Time {
	at, retry := wake(c.state), c.desk.wake(now)
	if at.IsZero() || !retry.IsZero() && retry.Before(at) {
		return retry
	}
	return at
}

package run

import "time"

// Waits between tries of what is unavailable: the first, and the longest that doubling it leads to.
const (
	backoffFirst = 200 * time.Millisecond
	backoffMax   = 10 * time.Second
)

// backoff returns the wait after so many failures in a row.
func backoff(failures int) time.Duration { return grow(backoffFirst, 2, backoffMax, failures-1) }

// desk remembers which effects are under way and which wait because what they need is unavailable. It is all that a
// coordinator forgets when it dies.
type desk struct {
	busy    map[string]bool
	waiting map[task]wait
}

// wait is that of an effect that found something unavailable.
type wait struct {
	// what was unavailable, and how often in a row.
	what  string
	tries int
	until time.Time
}

// task identifies an effect.
type task struct{ name, subject string }

func taskOf(e effect) task { return task{e.name(), e.subject()} }

func newDesk() *desk {
	return &desk{busy: map[string]bool{}, waiting: map[task]wait{}}
}

// take returns those of the wanted effects that may begin now, and notes that they are under way.
func (d *desk) take(wanted []effect, now time.Time) []effect {
	var free []effect
	for _, e := range wanted {
		if d.busy[e.subject()] || now.Before(d.waiting[taskOf(e)].until) {
			continue
		}
		d.busy[e.subject()] = true
		free = append(free, e)
	}
	return free
}

// done notes that an effect is over, and returns what it had found unavailable before, if anything.
func (d *desk) done(e effect) string {
	delete(d.busy, e.subject())
	what := d.waiting[taskOf(e)].what
	delete(d.waiting, taskOf(e))
	return what
}

// postpone notes that an effect found something unavailable and has to be tried again later.
func (d *desk) postpone(e effect, what string, now time.Time) {
	delete(d.busy, e.subject())
	tries := d.waiting[taskOf(e)].tries + 1
	d.waiting[taskOf(e)] = wait{what: what, tries: tries, until: now.Add(backoff(tries))}
}

// park notes that an effect will come about by itself unless this process ends, so that it has to be asked for again, but
// seldom.
func (d *desk) park(e effect, now time.Time) {
	delete(d.busy, e.subject())
	d.waiting[taskOf(e)] = wait{until: now.Add(backoffMax)}
}

// wake returns when the next waiting effect may be tried again; zero if none waits.
func (d *desk) wake(now time.Time) time.Time {
	var at time.Time
	for _, w := range d.waiting {
		if w.until.After(now) && (at.IsZero() || w.until.Before(at)) {
			at = w.until
		}
	}
	return at
}

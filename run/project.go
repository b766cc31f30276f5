package run

import (
	"maps"
	"slices"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

// commitOf makes one transaction of a turn's events and of what they change in the rows that people read.
func commitOf(s *state, lease driver.Lease, events []Recorded) (driver.Commit, error) {
	c := driver.Commit{Lease: lease, Events: make([]driver.Event, len(events))}
	for i, r := range events {
		var err error
		if c.Events[i], err = encode(r); err != nil {
			return driver.Commit{}, err
		}
		switch e := r.Event.(type) {
		case RunStarted, RunEnded:
			c.Run = runRow(s)
		case AttemptEnded:
			if e.Outcome.Status == step.Succeeded {
				c.Cache = append(c.Cache, cacheRow(s, e, r.Time))
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(s.dirty)) {
		c.Steps = append(c.Steps, stepRow(s, &s.steps[i]))
	}
	clear(s.dirty)
	return c, nil
}

func runRow(s *state) *driver.Run {
	return &driver.Run{ID: s.id, Name: s.name, Status: string(s.status), Started: s.started, Ended: s.ended}
}

// cacheRow remembers a result for later runs, also of a step that didn't want an earlier run's.
func cacheRow(s *state, e AttemptEnded, at time.Time) driver.CacheEntry {
	return driver.CacheEntry{Key: s.step(e.Step).key, Run: s.id, Step: e.Step, Outputs: e.Outcome.Outputs, Created: at}
}

func stepRow(s *state, st *stepState) driver.Step {
	row := driver.Step{
		Run: s.id, Name: st.Name, Index: st.number, Status: string(st.status),
		Attempt: st.attempt.number, AttemptName: st.attempt.name,
		CachedFrom: st.from, Outputs: st.outputs, Failure: st.failure,
		Usage: st.usage, Log: st.log, Started: st.started, Ended: st.ended,
	}
	if st.attempt.number > 0 || st.status == StepFromCache {
		row.CacheKey = st.key
	}
	return row
}

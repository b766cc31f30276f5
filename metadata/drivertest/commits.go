package drivertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

func testLeases(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	create(t, s, newRun("a"))
	for i, c := range []struct {
		holder string
		after  time.Duration
		force  bool
		epoch  int64
		want   string // the holder afterwards
	}{
		{"one", 0, false, 1, "one"},
		{"two", 30 * time.Second, false, 1, "one"},
		{"one", 50 * time.Second, false, 1, "one"},
		{"two", 70 * time.Second, false, 1, "one"},
		{"two", 110 * time.Second, false, 2, "two"},
		{"one", 120 * time.Second, false, 2, "two"},
		{"one", 120 * time.Second, true, 3, "one"},
		{"one", 900 * time.Second, false, 3, "one"},
		{"two", 960 * time.Second, false, 4, "two"},
	} {
		now := noon().Add(c.after)
		got, err := s.Acquire(t.Context(), "a", c.holder, now, time.Minute, c.force)
		if granted := c.holder == c.want; granted != (err == nil) || (err != nil && !errors.Is(err, driver.ErrConflict)) {
			t.Fatalf("case %d: got error %v, want granted %v", i, err, granted)
		}
		if got.Run != "a" || got.Holder != c.want || got.Epoch != c.epoch {
			t.Errorf("case %d: got %+v, want holder %s, epoch %d", i, got, c.want, c.epoch)
		}
		if err == nil && !got.Expires.Equal(now.Add(time.Minute)) {
			t.Errorf("case %d: the lease expires at %v, want %v", i, got.Expires, now.Add(time.Minute))
		}
	}
}

// together calls f for 0..n-1 at once, and returns the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

func testLeaseRace(t *testing.T, open func(t *testing.T) driver.Store) {
	stores := []driver.Store{open(t), open(t), open(t)}
	create(t, stores[0], newRun("a"))
	for round := range 5 {
		now := noon().Add(time.Duration(round) * time.Hour)
		errs := together(9, func(i int) error {
			_, err := stores[i%3].Acquire(t.Context(), "a", fmt.Sprintf("holder %d of round %d", i, round), now, time.Minute, false)
			return err
		})
		granted := 0
		for _, err := range errs {
			if err == nil {
				granted++
			} else if !errors.Is(err, driver.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
		}
		present, err := stores[0].Acquire(t.Context(), "a", "late", now, time.Minute, false)
		if granted != 1 || !errors.Is(err, driver.ErrConflict) || present.Epoch != int64(round+1) {
			t.Errorf("round %d: %d holders, and epoch %d; want 1 holder, epoch %d (%v)", round, granted, present.Epoch, round+1, err)
		}
	}
}

func testCommit(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	waiting := driver.Step{Run: "a", Name: "waits", Index: 1, Status: "waiting"}
	full := fullStep("a", "Schritt 学習", 0)
	commit(t, s, driver.Commit{Lease: l, Events: events(1, 2), Steps: []driver.Step{waiting, full},
		Run: &driver.Run{ID: "x", Name: "x", Pipeline: "x", Status: "running", Started: noon()}})
	steps, err := s.Steps(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the list of steps", steps, []driver.Step{full, waiting})
	want := newRun("a")
	want.Status, want.Started = "running", noon()
	got, err := s.Run(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the run", got, want)

	waiting.Status, waiting.Started = "running", noon()
	full.Outputs, full.Failure = nil, nil
	commit(t, s, driver.Commit{Lease: l, Events: events(3, 3), Steps: []driver.Step{waiting, full}})
	if steps, err = s.Steps(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	equal(t, "the list of replaced steps", steps, []driver.Step{full, waiting})
	wantEvents(t, s, "a", events(1, 3))
	later, err := s.Events(t.Context(), "a", 2)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the list of later events", later, events(3, 3))
	commit(t, s, driver.Commit{Lease: l, Run: &driver.Run{Status: "succeeded", Started: noon(), Ended: noon().Add(time.Hour)}})
	if got, err = s.Run(t.Context(), "a"); err != nil || got.Status != "succeeded" || !got.Ended.Equal(noon().Add(time.Hour)) {
		t.Errorf("after the end: %+v, error %v", got, err)
	}
}

func testCommitRepeated(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	first := driver.Commit{Lease: l, Events: events(1, 3), Steps: []driver.Step{{Run: "a", Name: "s", Status: "pending"}}}
	commit(t, s, first)
	commit(t, s, first)
	commit(t, s, driver.Commit{Lease: l, Events: events(4, 4), Steps: []driver.Step{{Run: "a", Name: "s", Status: "running"}}})
	commit(t, s, first)
	steps, err := s.Steps(t.Context(), "a")
	if err != nil || len(steps) != 1 || steps[0].Status != "running" {
		t.Errorf("a late repetition undid what came after: %+v, error %v", steps, err)
	}
	wantEvents(t, s, "a", events(1, 4))
	// The reply was lost, and the caller has more to say by now.
	commit(t, s, driver.Commit{Lease: l, Events: events(4, 6)})
	wantEvents(t, s, "a", events(1, 6))
	other := events(6, 6)
	other[0].Kind = "other"
	if err := s.Commit(t.Context(), driver.Commit{Lease: l, Events: other}); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("another event under the same number: got %v, want ErrConflict", err)
	}
	wantEvents(t, s, "a", events(1, 6))
}

func testCommitFenced(t *testing.T, open func(t *testing.T) driver.Store) {
	s, other := open(t), open(t)
	old := lease(t, s, "a")
	commit(t, s, driver.Commit{Lease: old, Events: events(1, 1)})
	taken, err := other.Acquire(t.Context(), "a", "second", noon(), time.Minute, true)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(t.Context(), driver.Commit{Lease: old, Events: events(2, 2), Run: &driver.Run{Status: "failed"},
		Steps: []driver.Step{{Run: "a", Name: "s"}}, Cache: []driver.CacheEntry{{Key: "k", Created: noon()}}})
	if !errors.Is(err, driver.ErrFenced) {
		t.Errorf("committing with an old lease: got %v, want ErrFenced", err)
	}
	wantEvents(t, s, "a", events(1, 1))
	steps, err := s.Steps(t.Context(), "a")
	if err != nil || len(steps) != 0 {
		t.Errorf("a fenced commit wrote %d steps, error %v", len(steps), err)
	}
	if cached, err := s.Cached(t.Context(), []string{"k"}); err != nil || len(cached) != 0 {
		t.Errorf("a fenced commit wrote to the cache: %v, error %v", cached, err)
	}
	if r, err := s.Run(t.Context(), "a"); err != nil || r.Status != "pending" {
		t.Errorf("a fenced commit made the run %q, error %v", r.Status, err)
	}
	commit(t, other, driver.Commit{Lease: taken, Events: events(2, 2)})
}

func testCommitGaps(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	commit(t, s, driver.Commit{Lease: l, Events: events(1, 2)})
	hole := append(events(3, 3), events(5, 5)...)
	for what, bad := range map[string][]driver.Event{"far": events(4, 4), "zero": events(0, 0), "hole": hole, "twice": append(events(3, 3), events(3, 3)...)} {
		if err := s.Commit(t.Context(), driver.Commit{Lease: l, Events: bad}); err == nil {
			t.Errorf("%s: events with a gap were taken", what)
		}
	}
	wantEvents(t, s, "a", events(1, 2))
}

func testBigCommit(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	c := driver.Commit{Lease: l, Events: events(1, 1500)}
	var keys []string
	for i := range 700 {
		name := fmt.Sprint("step", i)
		c.Steps = append(c.Steps, fullStep("a", name, i))
		c.Cache = append(c.Cache, driver.CacheEntry{Key: name, Run: "a", Step: name, Created: noon()})
		keys = append(keys, name)
	}
	commit(t, s, c)
	wantEvents(t, s, "a", events(1, 1500))
	steps, err := s.Steps(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the list of steps", steps, c.Steps)
	cached, err := s.Cached(t.Context(), keys)
	if err != nil || len(cached) != len(keys) {
		t.Errorf("%d entries found, want %d; error %v", len(cached), len(keys), err)
	}
}

func testParallelCommits(t *testing.T, open func(t *testing.T) driver.Store) {
	stores := []driver.Store{open(t), open(t)}
	const runs, turns = 6, 10
	var leases []driver.Lease
	for i := range runs {
		leases = append(leases, lease(t, stores[0], fmt.Sprint("run", i)))
	}
	errs := together(runs, func(i int) error {
		for turn := range int64(turns) {
			c := driver.Commit{Lease: leases[i], Events: events(2*turn+1, 2*turn+2), Run: &driver.Run{Status: fmt.Sprint(turn)},
				Steps: []driver.Step{fullStep(leases[i].Run, "s", 0)}}
			// All runs write the same entries, each in its own order.
			for k := range 5 {
				c.Cache = append(c.Cache, driver.CacheEntry{Key: fmt.Sprint((k + i) % 5), Run: leases[i].Run, Created: noon().Add(time.Duration(turn) * time.Second)})
			}
			if err := stores[i%2].Commit(t.Context(), c); err != nil {
				return err
			}
		}
		return nil
	})
	for i, err := range errs {
		if err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
		wantEvents(t, stores[0], leases[i].Run, events(1, 2*turns))
	}
	cached, err := stores[0].Cached(t.Context(), []string{"0", "1", "2", "3", "4"})
	if err != nil || len(cached) != 5 {
		t.Fatalf("%d entries, want 5; error %v", len(cached), err)
	}
	for key, e := range cached {
		if !e.Created.Equal(noon().Add((turns - 1) * time.Second)) {
			t.Errorf("entry %s is of %v, not the newest", key, e.Created)
		}
	}
}

// testRivalCommits has two coordinators, one of them fenced, write the same run at once.
func testRivalCommits(t *testing.T, open func(t *testing.T) driver.Store) {
	stores := []driver.Store{open(t), open(t)}
	l := lease(t, stores[0], "a")
	leases := []driver.Lease{l, l}
	errs := together(2, func(i int) error {
		if i == 1 {
			var err error
			if leases[1], err = stores[1].Acquire(t.Context(), "a", "second", noon(), time.Minute, true); err != nil {
				return err
			}
		}
		for seq := int64(1); seq <= 20; seq++ {
			e := events(seq, seq)
			if err := stores[i].Commit(t.Context(), driver.Commit{Lease: leases[i], Events: e}); err != nil {
				return err
			}
		}
		return nil
	})
	if errs[0] != nil && !errors.Is(errs[0], driver.ErrFenced) {
		t.Errorf("the first coordinator: got %v, want ErrFenced or success", errs[0])
	}
	if errs[1] != nil {
		t.Errorf("the second coordinator: %v", errs[1])
	}
	wantEvents(t, stores[0], "a", events(1, 20))
}

func testCache(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	entry := func(key, run string, age time.Duration) driver.CacheEntry {
		return driver.CacheEntry{Key: key, Run: run, Step: "s-" + run, Created: noon().Add(-age), Outputs: map[string]step.Artifact{run: artifact("sha256:" + run)}}
	}
	for _, e := range []driver.CacheEntry{entry("k", "old", time.Hour), entry("k", "new", 0), entry("k", "older", 2*time.Hour), entry("K", "case", 0)} {
		commit(t, s, driver.Commit{Lease: l, Cache: []driver.CacheEntry{e}})
	}
	commit(t, s, driver.Commit{Lease: l, Cache: []driver.CacheEntry{entry("twice", "new", 0), entry("twice", "old", time.Hour)}})
	got, err := s.Cached(t.Context(), []string{"k", "K", "twice", "unknown", "k"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the cache", got, map[string]driver.CacheEntry{"k": entry("k", "new", 0), "K": entry("K", "case", 0), "twice": entry("twice", "new", 0)})
	if got, err := s.Cached(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no keys find %v, error %v", got, err)
	}
}

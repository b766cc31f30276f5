package drivertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
)

func testRuns(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	want := create(t, s, newRun("a"))
	for _, key := range []string{want.ID, want.Name} {
		got, err := s.Run(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the run found by "+key, got, want)
	}
	// A run's id goes before another's name.
	other := newRun("b")
	other.Name = "a"
	create(t, s, other)
	got, err := s.Run(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the run with that id", got, want)
	local := create(t, s, driver.Run{ID: "c", Name: "c", Created: noon().In(time.FixedZone("east", 3600)).Add(time.Nanosecond)})
	got, err = s.Run(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	local.Created = noon()
	equal(t, "the run with few fields", got, local)
}

func testRunNames(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	long := strings.Repeat("long ", 100)
	names := []string{"Entraînement du modèle n° 1", "学習パイプライン", "😀 `quoted` \"'; DROP TABLE proa_runs; --", "UPPER", "upper", "é", "e\u0301",
		"end ", "end", long + "1", long + "2", `back\slash % _`, "line\nbreak"}
	for i, name := range names {
		r := newRun(fmt.Sprintf("run%d", i))
		r.Name, r.Pipeline = name, name
		create(t, s, r)
	}
	for i, name := range names {
		got, err := s.Run(t.Context(), name)
		if err != nil {
			t.Fatalf("finding %q: %v", name, err)
		}
		if want := fmt.Sprintf("run%d", i); got.ID != want || got.Name != name {
			t.Errorf("%q finds run %s, named %q; want %s", name, got.ID, got.Name, want)
		}
		runs, err := s.Runs(t.Context(), driver.Query{Pipeline: name})
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) != 1 {
			t.Errorf("%d runs of pipeline %q, want 1", len(runs), name)
		}
	}
}

func testRunConflicts(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	create(t, s, newRun("a"))
	sameName := newRun("b")
	sameName.Name = newRun("a").Name
	sameID := newRun("a")
	sameID.Name = "another"
	for what, r := range map[string]driver.Run{"name": sameName, "id": sameID} {
		if err := s.CreateRun(t.Context(), r); !errors.Is(err, driver.ErrConflict) {
			t.Errorf("creating a run of the same %s: got %v, want ErrConflict", what, err)
		}
	}
	if _, err := s.Run(t.Context(), "b"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("the run that couldn't be created: got %v, want ErrNotFound", err)
	}
	for _, bad := range []driver.Run{{Name: "x"}, {ID: "x"}, {ID: "Upper", Name: "x"}, {ID: strings.Repeat("x", 65), Name: "x"}} {
		if err := s.CreateRun(t.Context(), bad); err == nil || errors.Is(err, driver.ErrConflict) {
			t.Errorf("creating run %q named %q: got %v, want an error", bad.ID, bad.Name, err)
		}
	}
}

func testRunListing(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	const n = 60
	for i := range n {
		r := newRun(fmt.Sprintf("r%02d", i))
		// Two of each time, created in another order than they happened.
		r.Created = noon().Add(time.Duration((i*7)%n/2) * time.Second)
		r.Pipeline, r.Status = fmt.Sprint("p", i%2), fmt.Sprint("s", i%3)
		create(t, s, r)
	}
	list := func(q driver.Query) []driver.Run {
		runs, err := s.Runs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	if got := len(list(driver.Query{})); got != 50 {
		t.Errorf("%d runs without a limit, want 50", got)
	}
	all := list(driver.Query{Limit: 1000})
	if len(all) != n {
		t.Fatalf("%d runs, want %d", len(all), n)
	}
	for i, r := range all {
		if i > 0 && r.Created.After(all[i-1].Created) {
			t.Errorf("run %d is newer than the one before it", i)
		}
		if r.Spec != nil || r.Plan != nil {
			t.Errorf("run %d comes with its documents", i)
		}
	}
	for _, q := range []driver.Query{{}, {Pipeline: "p1"}, {Status: "s2"}, {Pipeline: "p0", Status: "s1"}} {
		var want, got []driver.Run
		for _, r := range all {
			if (q.Pipeline == "" || q.Pipeline == r.Pipeline) && (q.Status == "" || q.Status == r.Status) {
				want = append(want, r)
			}
		}
		for q.Limit = 7; ; q.Before = got[len(got)-1].Name {
			page := list(q)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		equal(t, "the pages together", got, want)
	}
	if _, err := s.Runs(t.Context(), driver.Query{Before: "nobody"}); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("listing before a run that doesn't exist: got %v, want ErrNotFound", err)
	}
}

func testPipelines(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	pipelines := func() []driver.Pipeline {
		t.Helper()
		all, err := s.Pipelines(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := pipelines(); len(got) != 0 {
		t.Errorf("%d pipelines in an empty store", len(got))
	}
	for i, name := range []string{"train", "Train", "é pipeline " + strings.Repeat("x", 500)} {
		for j := range 3 + i {
			r := newRun(fmt.Sprintf("r%d-%d", i, j))
			r.Pipeline, r.Status = name, fmt.Sprint("s", j)
			r.Created = noon().Add(time.Duration(j%2) * time.Second) // several are the newest: the last id counts
			create(t, s, r)
		}
	}
	all := pipelines()
	var got []string
	for _, p := range all {
		got = append(got, fmt.Sprintf("%.8s %d %s %s", p.Name, p.Runs, p.Last.ID, p.Last.Status))
		last, err := s.Runs(t.Context(), driver.Query{Pipeline: p.Name, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the last run of "+p.Name, []driver.Run{p.Last}, last)
	}
	equal(t, "the pipelines", got, []string{"Train 4 r1-3 s3", "train 3 r0-1 s1", "é pipeli 5 r2-3 s3"})
	if err := s.DeleteRun(t.Context(), "r1-3"); err != nil {
		t.Fatal(err)
	}
	if got := pipelines()[0]; got.Runs != 3 || got.Last.ID != "r1-1" {
		t.Errorf("after the newest run was deleted there are %d, the newest of them %s", got.Runs, got.Last.ID)
	}
}

func testBigDocuments(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	r := newRun("a")
	r.Spec = json.RawMessage(`"` + strings.Repeat("é", 2<<20) + `"`)
	r.Plan = json.RawMessage(`"` + strings.Repeat("y", 3<<20) + `"`)
	create(t, s, r)
	got, err := s.Run(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Spec) != string(r.Spec) || string(got.Plan) != string(r.Plan) {
		t.Error("big documents came back changed")
	}
}

func testCancelDelete(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	create(t, s, newRun("b"))
	entry := driver.CacheEntry{Key: "key", Run: "a", Step: "s", Created: noon()}
	commit(t, s, driver.Commit{Lease: l, Events: events(1, 2), Steps: []driver.Step{fullStep("a", "s", 0)}, Cache: []driver.CacheEntry{entry}})
	for range 2 {
		if err := s.RequestCancel(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Run(t.Context(), "a"); err != nil || !got.CancelRequested {
		t.Errorf("after RequestCancel: CancelRequested is %v, error %v", got.CancelRequested, err)
	}
	commit(t, s, driver.Commit{Lease: l, Run: &driver.Run{Status: "running"}})
	if got, err := s.Run(t.Context(), "a"); err != nil || !got.CancelRequested {
		t.Errorf("after a later commit: CancelRequested is %v, error %v", got.CancelRequested, err)
	}
	if got, err := s.Acquire(t.Context(), "a", l.Holder, noon(), time.Minute, false); err != nil || !got.CancelRequested {
		t.Errorf("the renewed lease says CancelRequested: %v, error %v", got.CancelRequested, err)
	}
	if err := s.DeleteRun(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), "a"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("the deleted run: got %v, want ErrNotFound", err)
	}
	steps, err := s.Steps(t.Context(), "a")
	if err != nil || len(steps) != 0 {
		t.Errorf("the deleted run has %d steps, error %v", len(steps), err)
	}
	wantEvents(t, s, "a", nil)
	cached, err := s.Cached(t.Context(), []string{"key"})
	if err != nil || len(cached) != 1 {
		t.Errorf("the deleted run's cache entry: got %v, error %v", cached, err)
	}
	if runs, err := s.Runs(t.Context(), driver.Query{}); err != nil || len(runs) != 1 {
		t.Errorf("%d runs left, want 1; error %v", len(runs), err)
	}
	create(t, s, newRun("a"))
	wantEvents(t, s, "a", nil)
}

func testMissing(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	_, run := s.Run(t.Context(), "nobody")
	_, acquire := s.Acquire(t.Context(), "nobody", "holder", noon(), time.Minute, true)
	for what, err := range map[string]error{
		"Run": run, "Acquire": acquire,
		"Commit":        s.Commit(t.Context(), driver.Commit{Lease: driver.Lease{Run: "nobody", Epoch: 1}, Events: events(1, 1)}),
		"RequestCancel": s.RequestCancel(t.Context(), "nobody"),
		"DeleteRun":     s.DeleteRun(t.Context(), "nobody"),
	} {
		if !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
	}
	if runs, err := s.Runs(t.Context(), driver.Query{}); err != nil || len(runs) != 0 {
		t.Errorf("an empty store lists %d runs, error %v", len(runs), err)
	}
}

package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/step"
)

// store returns a metadata store with a run that ran and one that took its result.
func store(t *testing.T) *memory.Store {
	t.Helper()
	m := memory.New()
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	outputs := map[string]step.Artifact{
		"b": {Digest: "sha256:bb", Type: "int", Materializer: "m", Size: 1}, "a": {Digest: "sha256:aa", Type: "int", Materializer: "m", Size: 2},
	}
	add := func(id string, s driver.Step) {
		s.Run, s.Name = id, "one"
		if err := m.CreateRun(t.Context(), driver.Run{ID: id, Name: "name-" + id, Pipeline: "p", Stack: "s", Status: "pending", Created: now}); err != nil {
			t.Fatal(err)
		}
		lease, err := m.Acquire(t.Context(), id, "h", now, time.Minute, false)
		if err != nil {
			t.Fatal(err)
		}
		commit := driver.Commit{
			Lease: lease, Events: []driver.Event{{Seq: 1, Time: now, Kind: "k", Data: json.RawMessage("{}")}},
			Run: &driver.Run{ID: id, Status: "succeeded", Started: now, Ended: now.Add(time.Second)}, Steps: []driver.Step{s},
		}
		if err := m.Commit(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	add("1", driver.Step{Status: "succeeded", Attempt: 2, AttemptName: "one-2", Outputs: outputs, Started: now, Ended: now.Add(time.Second)})
	add("2", driver.Step{Status: "cached", CachedFrom: "1", Outputs: outputs})
	return m
}

// TestJSON pins what programs, and the SDK, read.
func TestJSON(t *testing.T) {
	r, err := Read(t.Context(), store(t), "name-1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"1","name":"name-1","pipeline":"p","stack":"s","status":"succeeded","created":"2026-11-24T08:00:00Z",` +
		`"started":"2026-11-24T08:00:00Z","ended":"2026-11-24T08:00:01Z","steps":[{"name":"one","status":"succeeded","attempt":2,"outputs":` +
		`{"a":{"digest":"sha256:aa","type":"int","materializer":"m","size":2},"b":{"digest":"sha256:bb","type":"int","materializer":"m","size":1}},` +
		`"started":"2026-11-24T08:00:00Z","ended":"2026-11-24T08:00:01Z"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if names := []string{r.Artifacts()[0].Output, r.Artifacts()[1].Output}; !cmp.Equal(names, []string{"a", "b"}) {
		t.Errorf("artifacts are in the order %v", names)
	}
}

func TestUnknownRun(t *testing.T) {
	if _, err := Read(t.Context(), memory.New(), "nothing"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestLogs(t *testing.T) {
	m := store(t)
	objects, err := artifact.Open(t.Context(), step.Store{URL: artifact.FileURL(t.TempDir())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = objects.Close() }()
	read := func(run string) string {
		t.Helper()
		attempt, err := LogOf(t.Context(), m, run, "one")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := CopyLog(t.Context(), objects, attempt, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	put := func(key, text string) {
		t.Helper()
		if err := objects.Put(t.Context(), key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := read("1"); got != "" {
		t.Errorf("a log that isn't there is %q", got)
	}
	put(step.LogPartKey("1", "one-2", 0), "growing, ")
	put(step.LogPartKey("1", "one-2", 1), "\xff bytes")
	if got := read("1"); got != "growing, \xff bytes" {
		t.Errorf("a growing log is %q", got)
	}
	put(step.LogKey("1", "one-2"), "whole")
	if got := read("1"); got != "whole" {
		t.Errorf("a log that is whole is %q", got)
	}
	if got := read("2"); got != "whole" {
		t.Errorf("the log of a step from the cache is %q", got)
	}
	if _, err := LogOf(t.Context(), m, "1", "two"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("the log of an unknown step: %v", err)
	}
}

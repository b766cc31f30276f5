package prune_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/prune"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// world is a pair of stores that belong together.
type world struct {
	*testing.T
	dir       string
	artifacts *artifact.Store
	metadata  driver.Store
	// later is how far the clock is ahead, so that everything is old.
	later time.Duration
	ids   byte
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	w := &world{T: t, dir: dir, artifacts: openDir(t, dir), metadata: memory.New(), later: 7 * prune.Grace}
	if err := run.Pair(t.Context(), w.artifacts, w.metadata, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return w
}

func openDir(t *testing.T, dir string) *artifact.Store {
	t.Helper()
	s, err := artifact.Open(t.Context(), step.Store{URL: artifact.FileURL(dir)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// save saves an artifact of a small and a large file.
func (w *world) save(text string) step.Artifact {
	w.Helper()
	dir := w.TempDir()
	for name, content := range map[string]string{"small": text, "large": strings.Repeat(text, 20_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	a, err := w.artifacts.Save(context.WithoutCancel(w.Context()), dir, "text", "m", text)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) put(key, text string) string {
	w.Helper()
	if err := w.artifacts.Put(w.Context(), key, []byte(text)); err != nil {
		w.Fatal(err)
	}
	return key
}

// run adds a run with one step that has ended with an output, and a cached result.
func (w *world) run(status run.Status, p plan.Plan, outputs ...step.Artifact) driver.Run {
	w.Helper()
	w.ids++
	frozen, err := json.Marshal(p)
	if err != nil {
		w.Fatal(err)
	}
	r, err := run.Create(w.Context(), w.metadata, driver.Run{Pipeline: "p", Stack: "s", Plan: frozen},
		&run.CreateOptions{Rand: bytes.NewReader(bytes.Repeat([]byte{w.ids}, 8))})
	if err != nil {
		w.Fatal(err)
	}
	lease, err := w.metadata.Acquire(w.Context(), r.ID, "h", r.Created, time.Hour, false)
	if err != nil {
		w.Fatal(err)
	}
	c := driver.Commit{Lease: lease, Run: &driver.Run{Status: string(status), Started: r.Created}}
	for i, a := range outputs {
		made := map[string]step.Artifact{"output": a}
		name := fmt.Sprintf("s%d", i)
		c.Steps = append(c.Steps, driver.Step{Run: r.ID, Name: name, Index: i, Status: "succeeded", Outputs: made})
		c.Cache = append(c.Cache, driver.CacheEntry{Key: "key of " + a.Digest, Run: r.ID, Step: name, Outputs: made, Created: r.Created})
	}
	if err := w.metadata.Commit(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	w.put(step.RunPrefix(r.ID)+"attempts/a/log", "log of "+r.ID)
	return r
}

func (w *world) delete(r driver.Run) {
	w.Helper()
	if err := w.metadata.DeleteRun(w.Context(), r.ID); err != nil {
		w.Fatal(err)
	}
}

func (w *world) prune(o prune.Options) prune.Report {
	w.Helper()
	r, err := w.try(w.Context(), o)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) try(ctx context.Context, o prune.Options) (prune.Report, error) {
	o.Now = func() time.Time { return time.Now().Add(w.later) }
	return prune.Prune(ctx, w.artifacts, w.metadata, o)
}

// keys are all the store's objects but what it keeps of itself.
func (w *world) keys() []string {
	w.Helper()
	keys, err := w.artifacts.List(w.Context(), "")
	if err != nil {
		w.Fatal(err)
	}
	return slices.DeleteFunc(keys, func(key string) bool { return key == "identity.json" || key == "metadata-store.json" })
}

// whole reports whether an artifact is there with all its files.
func (w *world) whole(a step.Artifact) bool {
	w.Helper()
	there, err := w.artifacts.Exists(w.Context(), a.Digest)
	if err != nil {
		w.Fatal(err)
	}
	return there
}

var digestOf = func(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func TestPrune(t *testing.T) {
	w := newWorld(t)
	kept, given, adopted, lost, cached, scheduled := w.save("kept"), w.save("given"), w.save("adopted"), w.save("lost"), w.save("cached"), w.save("scheduled")
	raw, err := json.Marshal(adopted)
	if err != nil {
		t.Fatal(err)
	}
	w.run(run.Succeeded, plan.Plan{
		Images: []plan.Image{{Key: "k", CodeDigest: digestOf("a")}},
		Steps: []plan.Step{{
			Name: "s0", Inputs: map[string]spec.Input{"x": {Artifact: given.Digest}},
			Adopted: &plan.Adopted{Run: "r", Outputs: map[string]json.RawMessage{"output": raw}},
		}},
	}, kept)
	w.delete(w.run(run.Succeeded, plan.Plan{}, cached))
	frozen, err := json.Marshal(plan.Plan{
		Images: []plan.Image{{Key: "k", CodeDigest: digestOf("b")}},
		Steps:  []plan.Step{{Name: "s", Inputs: map[string]spec.Input{"x": {Artifact: scheduled.Digest}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(step.Frozen{Schedule: "nightly", Plan: frozen})
	if err != nil {
		t.Fatal(err)
	}
	w.put(step.ScheduleKey("c", "n", "nightly", digestOf("d")), string(record))
	for _, c := range []string{"a", "b", "c"} {
		w.put(step.CodeKey(digestOf(c)), "code "+c)
	}
	// What another store has in folders of this one, and what is nobody's.
	strange := []string{
		w.put("readme.txt", "hello"), w.put("team/blobs/sha256/aa/"+strings.Repeat("a", 64), "theirs"),
		w.put("runs/team/runs/"+strings.Repeat("a", 16)+"/attempts/a/log", "theirs"), w.put("blobs/sha256/bb/"+strings.Repeat("a", 64), "misplaced"),
	}
	if err := os.WriteFile(filepath.Join(w.dir, "blobs", "new-1.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := w.keys()

	looked := w.prune(prune.Options{})
	if diff := cmp.Diff(before, w.keys()); diff != "" {
		t.Errorf("only looking changed the store:\n%s", diff)
	}
	done := w.prune(prune.Options{Remove: true})
	looked.Removed = true
	if diff := cmp.Diff(looked, done); diff != "" {
		t.Errorf("what was removed is not what was said (-said +done):\n%s", diff)
	}
	for name, a := range map[string]step.Artifact{"kept": kept, "given": given, "adopted": adopted, "cached": cached, "scheduled": scheduled} {
		if !w.whole(a) {
			t.Errorf("the artifact %s is not whole any more", name)
		}
	}
	if w.whole(lost) {
		t.Error("the artifact that nothing refers to is still there")
	}
	left := w.keys()
	for _, key := range append(strange, step.CodeKey(digestOf("a")), step.CodeKey(digestOf("b"))) {
		if !slices.Contains(left, key) {
			t.Errorf("%s is gone", key)
		}
	}
	want := prune.Report{Removed: true, Artifacts: prune.Amount{Objects: 2}, Code: prune.Amount{Objects: 1, Bytes: 6},
		Runs: prune.Amount{Objects: 1, Bytes: 23}, Partial: prune.Amount{Objects: 1, Bytes: 4}}
	got := done
	got.Artifacts.Bytes = 0
	if got.Artifacts != want.Artifacts || got.Code != want.Code || got.Runs != want.Runs || got.Partial != want.Partial || got.Cached.Objects != 2 ||
		got.Unknown.Objects != int64(len(strange)) {
		t.Errorf("it says it removed %+v", got)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "blobs", "new-1.tmp")); !os.IsNotExist(err) {
		t.Errorf("the half-written file: %v", err)
	}
	if again := w.prune(prune.Options{Remove: true}); again.Unused() != (prune.Amount{}) {
		t.Errorf("the second time removed %+v", again)
	}
}

// TestNothingLeft deletes all runs and gives up what is cached.
func TestNothingLeft(t *testing.T) {
	w := newWorld(t)
	w.delete(w.run(run.Succeeded, plan.Plan{}, w.save("one"), w.save("two")))
	if r := w.prune(prune.Options{Cached: true}); r.Results != 2 || len(w.keys()) == 0 {
		t.Errorf("looking says %+v, and leaves %q", r, w.keys())
	}
	w.prune(prune.Options{Cached: true, Remove: true})
	if left := w.keys(); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	if left, err := w.metadata.Cache(t.Context(), "", 10); err != nil || len(left) > 0 {
		t.Errorf("still cached: %v, error %v", left, err)
	}
}

func TestGrace(t *testing.T) {
	w := newWorld(t)
	w.later = 0
	young := w.save("young")
	if r := w.prune(prune.Options{Remove: true, OlderThan: time.Hour}); r.Young.Objects != 2 || !w.whole(young) {
		t.Errorf("what is young was removed: %+v", r)
	}
	w.later = time.Minute
	active := w.run(run.Running, plan.Plan{})
	if r := w.prune(prune.Options{Remove: true}); !cmp.Equal(r.Active, []string{active.Name}) || r.Grace != prune.Grace.Seconds() || !w.whole(young) {
		t.Errorf("while a run goes on, what is young was removed: %+v", r)
	}
	w.delete(active)
	if w.prune(prune.Options{Remove: true}); w.whole(young) {
		t.Error("what is unused is still there")
	}
}

// TestOutcomesOfActiveRuns has a run whose step's outcome is stored and not recorded, for a week.
func TestOutcomesOfActiveRuns(t *testing.T) {
	w := newWorld(t)
	made, taken := w.save("made"), w.save("taken")
	r := w.run(run.Running, plan.Plan{})
	put := func(key string, value any) {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		w.put(key, string(data))
	}
	code := w.put(step.CodeKey(digestOf("a")), "code")
	put(step.OutcomeKey(r.ID, "a"), step.Outcome{Outputs: map[string]step.Artifact{"output": made}})
	put(step.InvocationKey(r.ID, "b"), step.Invocation{Code: digestOf("a"), Inputs: map[string]step.Artifact{"x": taken}, Outputs: []spec.Output{{Name: "output"}}})
	w.prune(prune.Options{Remove: true})
	if !w.whole(made) || !w.whole(taken) || !slices.Contains(w.keys(), code) {
		t.Error("what a run that goes on has made or needs was removed")
	}
}

// TestOldFilesAreWrittenAgain has a step make what is there already, old and unused.
func TestOldFilesAreWrittenAgain(t *testing.T) {
	w := newWorld(t)
	a := w.save("same")
	long := time.Now().Add(-2 * prune.Grace)
	for _, key := range w.keys() {
		if err := os.Chtimes(filepath.Join(w.dir, filepath.FromSlash(key)), long, long); err != nil {
			t.Fatal(err)
		}
	}
	w.later = 0
	w.run(run.Running, plan.Plan{})
	w.save("same")
	if r := w.prune(prune.Options{Remove: true}); r.Unused().Objects != 0 || !w.whole(a) {
		t.Errorf("what a step relies on was removed: %+v", r)
	}
}

// TestWhileRunsWrite prunes again and again while steps make, remake and record artifacts.
func TestWhileRunsWrite(t *testing.T) {
	w := newWorld(t)
	w.later = time.Second // what isn't protected would be removed
	ctx, stop := context.WithCancel(t.Context())
	pruned := make(chan error)
	go func() {
		rounds := 0
		for ; ctx.Err() == nil; rounds++ {
			if _, err := w.try(context.WithoutCancel(ctx), prune.Options{Remove: true, Batch: 3}); err != nil {
				pruned <- err
				return
			}
		}
		if rounds < 3 {
			pruned <- fmt.Errorf("only %d rounds", rounds)
		}
		close(pruned)
	}()
	r := w.run(run.Running, plan.Plan{})
	var made []step.Artifact
	for i := range 40 {
		a := w.save(fmt.Sprint("value ", i%25))
		data, err := json.Marshal(step.Outcome{Outputs: map[string]step.Artifact{"output": a}})
		if err != nil {
			t.Fatal(err)
		}
		w.put(step.OutcomeKey(r.ID, fmt.Sprint("a", i)), string(data))
		made = append(made, a)
	}
	stop()
	if err := <-pruned; err != nil {
		t.Fatal(err)
	}
	for i, a := range made {
		if !w.whole(a) {
			t.Errorf("artifact %d is not whole", i)
		}
	}
}

// TestInterrupted ends in the middle of thousands of objects, and goes on.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	const n = 2500
	for i := range n {
		w.put(fmt.Sprintf("blobs/sha256/%02x/%02x%062x", i%256, i%256, i), "x")
	}
	kept := w.save("kept")
	w.run(run.Succeeded, plan.Plan{}, kept)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	store := &counting{Store: w.metadata, called: func() {
		if calls++; calls == 5 {
			cancel()
		}
	}}
	_, err := prune.Prune(ctx, w.artifacts, store, prune.Options{Remove: true, Batch: 200, Now: func() time.Time { return time.Now().Add(w.later) }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted, it says %v", err)
	}
	left := len(w.keys())
	if left >= n || left < 1000 {
		t.Errorf("%d objects are left after the interruption", left)
	}
	r := w.prune(prune.Options{Remove: true})
	if want := int64(left - len(w.keys())); r.Artifacts.Objects != want || len(w.keys()) != 3 || !w.whole(kept) {
		t.Errorf("the second time removed %+v, and left %d objects", r, len(w.keys()))
	}
}

// counting tells when runs are listed.
type counting struct {
	driver.Store
	called func()
}

func (c *counting) Runs(ctx context.Context, q driver.Query) ([]driver.Run, error) {
	c.called()
	return c.Store.Runs(ctx, q)
}

// TestForeign has stores of which it can't be known who refers to what.
func TestForeign(t *testing.T) {
	refused := func(what string, w *world, metadata driver.Store, want prune.UnknownError) {
		t.Helper()
		before := w.keys()
		_, err := prune.Prune(t.Context(), w.artifacts, metadata, prune.Options{Remove: true, Now: func() time.Time { return time.Now().Add(w.later) }})
		var got *prune.UnknownError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(before, w.keys()); diff != "" {
			t.Errorf("%s: the store changed:\n%s", what, diff)
		}
	}
	w := newWorld(t)
	w.save("theirs")
	other := memory.New()
	refused("a metadata store without identity", w, other, prune.UnknownError{Free: true})
	if _, err := other.Identity(t.Context(), "0123456789abcdef"); err != nil {
		t.Fatal(err)
	}
	refused("another metadata store", w, other, prune.UnknownError{Foreign: true})
	// Used with another one nonetheless, which its own then has to know.
	if err := run.Share(t.Context(), w.artifacts, other, rand.Reader); err != nil {
		t.Fatal(err)
	}
	refused("a store that others use", w, w.metadata, prune.UnknownError{Others: 1})

	former := newWorld(t)
	former.save("theirs")
	if err := run.Unpair(t.Context(), former.artifacts, former.metadata); err != nil {
		t.Fatal(err)
	}
	refused("a store without a partner", former, former.metadata, prune.UnknownError{Free: true})
	another := memory.New()
	if err := run.Pair(t.Context(), former.artifacts, another, rand.Reader); err != nil {
		t.Fatal(err)
	}
	refused("a store with a former partner", former, another, prune.UnknownError{Others: 1})
	former.metadata = another
	former.prune(prune.Options{Remove: true, Disowned: true})
	if left := former.keys(); len(left) > 0 {
		t.Errorf("given up, and still there: %q", left)
	}
	former.prune(prune.Options{Remove: true})
}

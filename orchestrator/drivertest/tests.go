package drivertest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/step"
)

func testSuccess(w *world) {
	w.watch()
	d := w.start(attempt{step: "one", actions: []string{"print:hello", "output:x=value"}, outputs: []string{"x"}})
	_, o := w.finished(d)
	if o.Status != step.Succeeded || o.ExitCode != 0 || o.Outputs["x"].Digest == "" || o.Name != d.Name {
		w.Errorf("got %+v", o)
	}
	w.seen.checkOrder(w)
}

func testFailure(w *world) {
	w.watch()
	exits := w.start(attempt{step: "exits", actions: []string{"exit:3"}})
	raises := w.start(attempt{step: "raises", actions: []string{"fail:no such luck"}})
	status, o := w.finished(exits)
	if o.Status != step.Failed || o.ExitCode != 3 || o.Failure == nil || o.Failure.Kind != step.FailureUser {
		w.Errorf("a step that exits with 3: got %+v", o)
	}
	if status.Outcome == nil && status.ExitCode != 3 {
		w.Errorf("a step that exits with 3 has the status %s", describe(status))
	}
	if _, o := w.finished(raises); o.Status != step.Failed || o.Failure == nil || o.Failure.Message != "no such luck" {
		w.Errorf("a step that fails: got %+v", o)
	}
}

func testSignal(w *world) {
	w.watch()
	d := w.start(attempt{step: "killed", actions: []string{"signal:9"}})
	if _, o := w.finished(d); o.Status != step.Failed || o.Signal != "SIGKILL" || o.Failure.Kind != step.FailureUser {
		w.Errorf("got %+v, failure %+v", o, o.Failure)
	}
}

func testData(w *world) {
	w.watch()
	first := w.start(attempt{step: "first", actions: []string{"output:x=value"}, outputs: []string{"x"}})
	_, made := w.finished(first)
	second := w.start(attempt{step: "second", actions: []string{"copy:in=y"}, inputs: map[string]step.Artifact{"in": made.Outputs["x"]}, outputs: []string{"y"}})
	if _, o := w.finished(second); o.Outputs["y"].Digest != made.Outputs["x"].Digest {
		w.Errorf("the copy is %+v, the original %+v", o.Outputs["y"], made.Outputs["x"])
	}
}

func testStartTwice(w *world) {
	w.watch()
	d := w.prepare(attempt{step: "once", actions: []string{"print:begun", "block"}})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := w.orch.Start(w.Context(), d); err != nil && !errors.Is(err, orchestrator.ErrQueued) {
				w.Errorf("starting at once: %v", err)
			}
		})
	}
	group.Wait()
	w.seen.awaitLog(w, d.Name, script.Ready)
	w.startPrepared(d)
	w.stop(d, time.Minute)
	w.finished(d)
	if log := w.log(d); strings.Count(log, "begun") != 1 {
		w.Errorf("the step ran more than once: %q", log)
	}
}

func testStartAfterTheEnd(w *world) {
	w.watch()
	d := w.start(attempt{step: "once", actions: []string{"print:begun"}})
	_, before := w.finished(d)
	w.startPrepared(d)
	other := w.start(attempt{step: "other", actions: []string{"print:x"}})
	w.finished(other)
	_, after := w.finished(d)
	if !before.Ended.Equal(after.Ended) {
		w.Errorf("the outcome was replaced: %+v, then %+v", before, after)
	}
	w.seen.checkOrder(w)
}

func testReplay(w *world) {
	stop := w.watch()
	ended := w.start(attempt{step: "ended", actions: []string{"exit:4"}})
	running := w.start(attempt{step: "running", actions: []string{"block"}})
	w.finished(ended)
	w.seen.awaitLog(w, running.Name, script.Ready)
	stop()
	w.watch(ended.Name, running.Name)
	w.seen.await(w, ended.Name, driver.Ended)
	w.seen.await(w, running.Name, driver.Running)
	w.stop(running, time.Minute)
	w.finished(running)
	w.seen.checkOrder(w)
}

func testUnknown(w *world) {
	d := w.start(attempt{step: "known"})
	w.watch("never-started-0123456789abcdef", d.Name)
	lost := w.seen.await(w, "never-started-0123456789abcdef", driver.Ended)
	if lost.Failure == nil || lost.Failure.Kind != step.FailureLost || lost.Failure.Message == "" {
		w.Errorf("what was never started is %s", describe(lost))
	}
	if _, o := w.finished(d); o.Status != step.Succeeded {
		w.Errorf("what is known ended with %+v", o)
	}
}

func testApart(w *world) {
	other := newWorld(w.T, w.Harness)
	w.watch()
	other.watch()
	mine := w.start(attempt{step: "mine"})
	theirs := other.start(attempt{step: "theirs"})
	w.finished(mine)
	other.finished(theirs)
	for _, s := range []struct {
		seen *seen
		name string
	}{{w.seen, theirs.Name}, {other.seen, mine.Name}} {
		if len(s.seen.statuses[s.name]) > 0 || len(s.seen.logs[s.name]) > 0 {
			w.Errorf("a watch told of %s, which is another run's", s.name)
		}
	}
}

func testWatchEnds(w *world) {
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	if err := w.orch.Watch(ctx, w.run, nil, &seen{statuses: map[string][]driver.Status{}, logs: map[string][]chunk{}, news: make(chan struct{})}); !errors.Is(err, context.Canceled) {
		w.Errorf("got %v", err)
	}
}

func (w *world) stop(d driver.Attempt, grace time.Duration) {
	w.Helper()
	if err := w.orch.Stop(w.Context(), d.Name, grace); err != nil {
		w.Fatalf("stopping %s: %v", d.Name, err)
	}
}

func testStop(w *world) {
	w.watch()
	d := w.start(attempt{step: "saves", actions: []string{"save"}})
	w.seen.awaitLog(w, d.Name, script.Ready)
	w.stop(d, 20*time.Second)
	w.seen.awaitLog(w, d.Name, script.Saving)
	w.stop(d, 20*time.Second)
	if _, o := w.finished(d); o.Status != step.Cancelled || o.Failure == nil || o.Failure.Kind != step.FailureCancelled || o.Signal != "" {
		w.Errorf("got %+v, failure %+v", o, o.Failure)
	}
}

func testForce(w *world) {
	w.watch()
	d := w.start(attempt{step: "ignores", actions: []string{"ignore"}, grace: time.Hour})
	w.seen.awaitLog(w, d.Name, script.Ready)
	w.stop(d, time.Second)
	w.seen.await(w, d.Name, driver.Ended)
	if o := w.outcome(d); o != nil && o.Status != step.Cancelled {
		w.Errorf("got %+v", o)
	}
}

func testStopEarly(w *world) {
	w.watch()
	d := w.start(attempt{step: "early", actions: []string{"block"}})
	w.stop(d, time.Second)
	status := w.seen.await(w, d.Name, driver.Ended)
	o := w.outcome(d)
	if o != nil && o.Status != step.Cancelled {
		w.Errorf("got %+v", o)
	}
	if o == nil && status.Failure == nil {
		w.Errorf("stopped before it could leave an outcome, it is %s", describe(status))
	}
}

func testStopNothing(w *world) {
	if err := w.orch.Stop(w.Context(), "never-started-0123456789abcdef", time.Second); err != nil {
		w.Errorf("stopping what doesn't exist: %v", err)
	}
	if err := w.orch.Remove(w.Context(), "never-started-0123456789abcdef", false); err != nil {
		w.Errorf("removing what doesn't exist: %v", err)
	}
}

func testRemove(w *world) {
	stop := w.watch()
	d := w.start(attempt{step: "gone"})
	w.finished(d)
	for range 2 {
		if err := w.orch.Remove(w.Context(), d.Name, false); err != nil {
			w.Errorf("removing: %v", err)
		}
	}
	stop()
	w.watch(d.Name)
	// What is being removed may be there still, as ended; in the end it is unknown, and so ended as well.
	w.seen.await(w, d.Name, driver.Ended)
	if w.outcome(d) == nil {
		w.Error("the outcome went with the attempt")
	}
	w.stop(d, time.Second)
}

func testTimeLimit(w *world) {
	w.watch()
	d := w.start(attempt{step: "long", actions: []string{"ignore"}, timeout: 300 * time.Millisecond, grace: 100 * time.Millisecond})
	if _, o := w.finished(d); o.Status != step.Failed || o.Failure.Kind != step.FailureTimeout {
		w.Errorf("got %+v, failure %+v", o, o.Failure)
	}
}

// log reads the stored log.
func (w *world) log(d driver.Attempt) string {
	w.Helper()
	data, err := w.Store.Get(w.Context(), step.LogKey(d.Run, d.Name))
	if err != nil {
		w.Fatalf("reading the log: %v", err)
	}
	return string(data)
}

func testLogs(w *world) {
	w.watch()
	const lines = 5000
	d := w.start(attempt{step: "talks", actions: []string{"lines:" + strconv.Itoa(lines), "eprint:over"}})
	w.seen.awaitLog(w, d.Name, "line 0\n")
	w.finished(d)
	log := w.log(d)
	if n := strings.Count(log, "\n"); n != lines+1 || !strings.HasSuffix(log, "over\n") {
		w.Errorf("the stored log has %d lines, not %d, and ends with %q", n, lines+1, log[max(0, len(log)-20):])
	}
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	var end int64
	for _, c := range w.seen.logs[d.Name] {
		until := c.offset + int64(len(c.data))
		if until > int64(len(log)) || log[c.offset:until] != c.data {
			w.Fatalf("the live log at %d isn't what is stored there", c.offset)
		}
		if until < end {
			w.Errorf("the live log goes back from %d to %d", end, until)
		}
		end = until
	}
}

func testMany(w *world) {
	w.watch()
	var all []driver.Attempt
	for i := range 12 {
		all = append(all, w.start(attempt{step: "step " + strconv.Itoa(i), actions: []string{"output:x=" + strconv.Itoa(i)}, outputs: []string{"x"}}))
	}
	digests := map[string]bool{}
	for _, d := range all {
		_, o := w.finished(d)
		if o.Status != step.Succeeded {
			w.Errorf("%s: got %+v", d.Step, o)
		}
		digests[o.Outputs["x"].Digest] = true
	}
	if len(digests) != len(all) {
		w.Errorf("%d attempts gave %d different results", len(all), len(digests))
	}
	w.seen.checkOrder(w)
}

func testReopen(w *world) {
	stop := w.watch()
	d := w.start(attempt{step: "survives", actions: []string{"block"}})
	w.seen.awaitLog(w, d.Name, script.Ready)
	stop()
	if err := w.orch.Close(); err != nil {
		w.Fatalf("closing: %v", err)
	}
	w.open()
	w.watch(d.Name)
	if !w.Outlives {
		lost := w.seen.await(w, d.Name, driver.Ended)
		if lost.Failure == nil || lost.Failure.Kind != step.FailureLost || w.outcome(d) != nil {
			w.Errorf("it is %s; outcome %+v", describe(lost), w.outcome(d))
		}
		return
	}
	w.seen.await(w, d.Name, driver.Running)
	w.startPrepared(d)
	w.stop(d, time.Minute)
	if _, o := w.finished(d); o.Status != step.Cancelled || strings.Count(w.log(d), script.Ready) != 1 {
		w.Errorf("got %+v, log %q", o, w.log(d))
	}
}

// testOneAfterTheOther gives an orchestrator the chance to use what an attempt has left for the next one: it must not
// show. What failed leaves nothing that is used.
func testOneAfterTheOther(w *world) {
	w.watch()
	var all []driver.Attempt
	for i := range 4 {
		text := "number " + strconv.Itoa(i)
		d := w.start(attempt{step: "step " + strconv.Itoa(i), actions: []string{"print:" + text, "output:x=" + text}, outputs: []string{"x"}})
		if _, o := w.finished(d); o.Status != step.Succeeded || o.Name != d.Name {
			w.Errorf("%s: got %+v", d.Step, o)
		}
		if log := w.log(d); log != text+"\n" {
			w.Errorf("%s: the log is %q", d.Step, log)
		}
		if err := w.orch.Remove(w.Context(), d.Name, false); err != nil {
			w.Errorf("removing: %v", err)
		}
		all = append(all, d)
	}
	fails := w.start(attempt{step: "fails", actions: []string{"exit:3"}})
	if _, o := w.finished(fails); o.ExitCode != 3 {
		w.Errorf("got %+v", o)
	}
	blocks := w.start(attempt{step: "blocks", actions: []string{"block"}})
	w.seen.awaitLog(w, blocks.Name, script.Ready)
	// Those that came before are no more: to stop and to remove them is nothing to the one that runs.
	for _, d := range append(all, fails) {
		w.stop(d, time.Second)
		if err := w.orch.Remove(w.Context(), d.Name, false); err != nil {
			w.Errorf("removing: %v", err)
		}
	}
	w.stop(blocks, 20*time.Second)
	if _, o := w.finished(blocks); o.Status != step.Cancelled {
		w.Errorf("got %+v, failure %+v", o, o.Failure)
	}
	w.seen.checkOrder(w)
}

// testReopenLater opens an orchestrator again while an attempt runs that wasn't the first.
func testReopenLater(w *world) {
	if !w.Outlives {
		return
	}
	stop := w.watch()
	first := w.start(attempt{step: "first"})
	w.finished(first)
	if err := w.orch.Remove(w.Context(), first.Name, false); err != nil {
		w.Errorf("removing: %v", err)
	}
	second := w.start(attempt{step: "second", actions: []string{"block"}})
	w.seen.awaitLog(w, second.Name, script.Ready)
	stop()
	if err := w.orch.Close(); err != nil {
		w.Fatalf("closing: %v", err)
	}
	w.open()
	w.watch(second.Name)
	w.seen.await(w, second.Name, driver.Running)
	w.startPrepared(second)
	third := w.start(attempt{step: "third"})
	if _, o := w.finished(third); o.Status != step.Succeeded {
		w.Errorf("got %+v", o)
	}
	w.stop(second, time.Minute)
	if _, o := w.finished(second); o.Status != step.Cancelled || strings.Count(w.log(second), script.Ready) != 1 {
		w.Errorf("got %+v, log %q", o, w.log(second))
	}
}

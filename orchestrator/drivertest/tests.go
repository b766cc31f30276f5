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

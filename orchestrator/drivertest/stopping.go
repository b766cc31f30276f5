package drivertest

import (
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/step"
)

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

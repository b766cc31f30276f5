package drivertest

import (
	"strconv"
	"strings"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/step"
)

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

package kubernetes

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// heard collects what an orchestrator tells.
type heard struct {
	mu       sync.Mutex
	statuses []driver.Status
	logs     map[string]string
	changed  chan struct{}
}

func newHeard() *heard { return &heard{logs: map[string]string{}, changed: make(chan struct{}, 1)} }

func (h *heard) Status(s driver.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = append(h.statuses, s)
	h.signal()
}

func (h *heard) Log(attempt string, offset int64, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(len(h.logs[attempt])) == offset {
		h.logs[attempt] += string(data)
	}
	h.signal()
}

func (h *heard) signal() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// words are the statuses told, short: "attempt-1 ended lost".
func (h *heard) words() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []string{}
	for _, s := range h.statuses {
		text := s.Attempt + " " + string(s.Phase)
		if s.Outcome != nil {
			text += " " + string(s.Outcome.Status)
		}
		if s.Failure != nil {
			text += " " + string(s.Failure.Kind)
		}
		out = append(out, text)
	}
	return out
}

func outcome(name string) driver.Status {
	return driver.Status{Attempt: name, Phase: driver.Ended, Outcome: &step.Outcome{Name: name, Status: step.Succeeded}}
}

func expectTold(t *testing.T, h *heard, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), h.words()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// trackerAt returns a tracker that listens, and a clock to set.
func trackerAt(t *testing.T, known ...string) (*tracker, *heard, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	tr, h := newTracker(func() time.Time { return now }), newHeard()
	tr.begin(known, h)
	return tr, h, &now
}

func TestTrackerTellsTheEndByTheChannelOnce(t *testing.T) {
	tr, h, _ := trackerAt(t)
	tr.starting("attempt-1")(nil)
	tr.set(savedPod(t, "pending-volumes"))
	tr.report(driver.Status{Attempt: "attempt-1", Phase: driver.Running, ExitCode: -1})
	tr.set(savedPod(t, "pending-pulling"))
	tr.report(outcome("attempt-1"))
	tr.set(savedPod(t, "running"))
	tr.set(savedPod(t, "exit-1"))
	tr.gone(savedPod(t, "exit-1"))
	var last []string
	for _, w := range h.words() {
		if len(last) == 0 || last[len(last)-1] != w {
			last = append(last, w)
		}
	}
	want := []string{"attempt-1 pending", "attempt-1 running", "attempt-1 ended succeeded"}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestTrackerTellsAnOutcomeAfterAnEndWithoutOne(t *testing.T) {
	tr, h, _ := trackerAt(t)
	tr.set(savedPod(t, "killed"))
	tr.report(outcome("attempt-1"))
	tr.report(outcome("attempt-1"))
	expectTold(t, h, "attempt-1 ended lost", "attempt-1 ended succeeded")
}

func TestTrackerKnownButAbsentIsLost(t *testing.T) {
	tr, h, _ := trackerAt(t, "attempt-1", "attempt-2")
	tr.mark()
	tr.sync([]corev1.Pod{*savedPod(t, "running")})
	expectTold(t, h, "attempt-1 running", "attempt-2 ended lost")
}

// A pod that is created while a list is under way may be missing from it, and is not lost.
func TestTrackerStartDuringListIsNotLost(t *testing.T) {
	tr, h, _ := trackerAt(t)
	under := tr.starting("attempt-under-way")
	tr.mark()
	tr.starting("attempt-after-mark")(nil)
	under(nil)
	tr.sync(nil)
	expectTold(t, h)
	tr.mark()
	tr.sync(nil)
	if got := len(h.words()); got != 2 {
		t.Errorf("told %v, want both lost", h.words())
	}
}

func TestTrackerStartThatFailedIsNotLost(t *testing.T) {
	tr, h, _ := trackerAt(t)
	tr.starting("attempt-1")(fmt.Errorf("no"))
	tr.mark()
	tr.sync(nil)
	expectTold(t, h)
}

func TestTrackerForgetsWhatWasRemoved(t *testing.T) {
	tr, h, _ := trackerAt(t)
	tr.set(savedPod(t, "running"))
	tr.remove("attempt-1")
	tr.set(savedPod(t, "running-deleted"))
	tr.gone(savedPod(t, "running-deleted"))
	tr.mark()
	tr.sync(nil)
	expectTold(t, h, "attempt-1 running")
	if len(tr.attempts)+len(tr.removed) != 0 {
		t.Errorf("left behind: %v %v", tr.attempts, tr.removed)
	}
}

func TestTrackerRepeatsAllToANewWatch(t *testing.T) {
	tr, h, _ := trackerAt(t)
	tr.set(savedPod(t, "oom"))
	tr.end()
	tr.set(savedPod(t, "oom"))
	again := newHeard()
	tr.begin([]string{"attempt-1"}, again)
	tr.set(savedPod(t, "oom"))
	expectTold(t, h, "attempt-1 ended oom")
	expectTold(t, again, "attempt-1 ended oom")
}

func TestTrackerEndsAPullThatDoesNotRecover(t *testing.T) {
	tr, h, now := trackerAt(t)
	start := *now
	tr.set(savedPod(t, "pending-pull-missing"))
	if next := tr.settle(); !next.Equal(start.Add(pullGraceDefinite)) {
		t.Errorf("settle says %v, want %v", next, start.Add(pullGraceDefinite))
	}
	*now = start.Add(pullGraceDefinite / 2)
	tr.set(savedPod(t, "pending-pull-backoff"))
	tr.settle()
	expectTold(t, h, "attempt-1 pending", "attempt-1 pending")
	*now = start.Add(pullGraceDefinite)
	if next := tr.settle(); !next.IsZero() {
		t.Errorf("settle says %v after the end", next)
	}
	expectTold(t, h, "attempt-1 pending", "attempt-1 pending", "attempt-1 ended image")
	if m := h.statuses[2].Failure.Message; !strings.Contains(m, "registry") {
		t.Errorf("message %q doesn't say what to check", m)
	}
}

func TestTrackerForgivesAPullThatRecovers(t *testing.T) {
	tr, h, now := trackerAt(t)
	tr.set(savedPod(t, "pending-pull-throttled"))
	tr.set(savedPod(t, "running"))
	*now = now.Add(2 * pullGrace)
	if next := tr.settle(); !next.IsZero() {
		t.Errorf("settle says %v, want nothing to wait for", next)
	}
	expectTold(t, h, "attempt-1 pending", "attempt-1 running")
}

func TestTrackerEndsAPodWhoseNodeIsSilent(t *testing.T) {
	tr, h, now := trackerAt(t)
	pod := savedPod(t, "running-node-unreachable")
	*now = pod.DeletionTimestamp.Add(time.Hour) // this machine's clock is no measure of another's
	tr.set(pod)
	tr.settle()
	expectTold(t, h, "attempt-1 running")
	*now = now.Add(30*time.Second + lostGrace)
	tr.settle()
	expectTold(t, h, "attempt-1 running", "attempt-1 ended node-lost")
}

// What is seen of a pod that goes so that its attempt can go elsewhere is not about the attempt.
func TestTrackerPassesOverAVacatedPod(t *testing.T) {
	tr, h, now := trackerAt(t)
	pod := savedPod(t, "pending-unschedulable")
	pod.UID = "first"
	tr.set(pod)
	tr.vacate(pod.UID, "attempt-1")
	tr.mark()
	tr.sync(nil)
	tr.gone(pod)
	*now = now.Add(24 * time.Hour)
	tr.settle()
	expectTold(t, h, "attempt-1 pending")
	tr.moved("another", "attempt-1")
	running := savedPod(t, "running")
	running.Name, running.UID = "another", "second"
	tr.set(running)
	expectTold(t, h, "attempt-1 pending", "attempt-1 running")

	pod.Name, pod.UID = "attempt-2", "third"
	tr.set(pod)
	restore := tr.vacate(pod.UID, "attempt-2")
	restore() // it had got a node after all
	tr.gone(pod)
	expectTold(t, h, "attempt-1 pending", "attempt-1 running", "attempt-2 pending", "attempt-2 ended lost")
}

// The API server's clock is an hour ahead or behind: a pod that was told to go has its grace time, no less and no more.
func TestClockOfTheAPIServerIsAnHourOff(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		tr, h, now := trackerAt(t)
		pod := savedPod(t, "running-node-unreachable")
		pod.DeletionTimestamp = &metav1.Time{Time: now.Add(skew)}
		tr.set(pod)
		*now = now.Add(30*time.Second + lostGrace - time.Second)
		tr.settle()
		expectTold(t, h, "attempt-1 running")
		*now = now.Add(time.Second)
		tr.settle()
		expectTold(t, h, "attempt-1 running", "attempt-1 ended node-lost")
	}
}

// A launcher that was told to end because its pod gives way reports a cancelled step; the cluster knows better.
func TestTrackerTellsWhyAPodHadToGo(t *testing.T) {
	tr, h, _ := trackerAt(t)
	tr.set(savedPod(t, "running-preempted"))
	cancelled := outcome("attempt-1")
	cancelled.Outcome.Status = step.Cancelled
	tr.report(cancelled)
	expectTold(t, h, "attempt-1 running", "attempt-1 ended cancelled preempted")
}

// A node that evicts a pod says so after the launcher has ended.
func TestTrackerAwaitsWhyAPodWasEnded(t *testing.T) {
	for name, c := range map[string]struct {
		then func(tr *tracker, now *time.Time)
		want string
	}{
		"evicted":     {func(tr *tracker, _ *time.Time) { tr.set(savedPod(t, "evicted")) }, "attempt-1 ended cancelled evicted"},
		"preempted":   {func(tr *tracker, _ *time.Time) { tr.set(savedPod(t, "running-preempted")) }, "attempt-1 ended cancelled preempted"},
		"deleted":     {func(tr *tracker, _ *time.Time) { tr.set(savedPod(t, "running-deleted")) }, "attempt-1 ended cancelled"},
		"ended":       {func(tr *tracker, _ *time.Time) { tr.set(savedPod(t, "killed")) }, "attempt-1 ended cancelled"},
		"gone":        {func(tr *tracker, _ *time.Time) { tr.gone(savedPod(t, "running")) }, "attempt-1 ended cancelled"},
		"not listed":  {func(tr *tracker, _ *time.Time) { tr.mark(); tr.sync(nil) }, "attempt-1 ended cancelled"},
		"never comes": {func(tr *tracker, now *time.Time) { *now = now.Add(explainLimit); tr.settle() }, "attempt-1 ended cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, h, now := trackerAt(t)
			tr.set(savedPod(t, "running"))
			cancelled := outcome("attempt-1")
			cancelled.Outcome.Status = step.Cancelled
			tr.report(cancelled)
			tr.set(savedPod(t, "terminated-still-running"))
			if next := tr.settle(); !next.Equal(now.Add(explainLimit)) {
				t.Errorf("settled until %v", next)
			}
			expectTold(t, h, "attempt-1 running")
			c.then(tr, now)
			expectTold(t, h, "attempt-1 running", c.want)
		})
	}
}

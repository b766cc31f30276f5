package kubernetes

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
)

// poolAt is a pool, and a clock to set.
type poolAt struct {
	*pool
	*testing.T
	clock time.Time
}

func newPoolAt(t *testing.T) *poolAt {
	p := &poolAt{T: t, clock: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}
	p.pool = newPool(func() time.Time { return p.clock })
	return p
}

func (p *poolAt) claim(name, fit string) *claim {
	return &claim{Attempt: driver.Attempt{Name: name, Number: 1}, fit: fit, since: p.clock}
}

// wants takes a place and checks in which way it is given.
func (p *poolAt) wants(name, fit string, want way) placement {
	p.Helper()
	c := p.claim(name, fit)
	h, got := p.take(c)
	if got != want {
		p.Fatalf("%s gets its place in the way %d, not %d", name, got, want)
	}
	return placement{c, h, got}
}

// runs starts an attempt in a pod of its own.
func (p *poolAt) runs(name, fit string) {
	p.Helper()
	p.settled(p.wants(name, fit, wayNew), nil)
	p.saw(podIn(name, corev1.PodRunning))
}

// told expects what a launcher is told.
func (p *poolAt) told(pod, after, want string, wantOK bool) {
	p.Helper()
	attempt, _, _, ok := p.next(pod, after)
	if attempt != want || ok != wantOK {
		p.Errorf("after %s, pod %s is told %q, %v; not %q, %v", after, pod, attempt, ok, want, wantOK)
	}
}

func (p *poolAt) deletes(want ...string) {
	p.Helper()
	if got := p.deletions(false); !slices.Equal(got, want) {
		p.Errorf("deletes %v, not %v", got, want)
	}
}

// places expects what is taken out of the queue.
func (p *poolAt) places(want ...string) []placement {
	p.Helper()
	placed, _ := p.ready()
	var names []string
	for _, pl := range placed {
		names = append(names, pl.Name)
	}
	if !slices.Equal(names, want) {
		p.Errorf("places %v, not %v", names, want)
	}
	return placed
}

func podIn(name string, phase corev1.PodPhase) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{Phase: phase}}
	if phase == corev1.PodRunning {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	}
	return pod
}

func TestPoolHandsAPodOver(t *testing.T) {
	p := newPoolAt(t)
	p.runs("a", "x")
	p.told("a", "a", "", false) // nobody was told of an outcome: another coordinator was
	p.deletes("a")

	p.runs("b", "x")
	p.outcome("b", true)
	p.told("b", "b", "", true)
	move := p.wants("c", "x", wayMove)
	p.told("b", "b", "", true) // decided, but not recorded
	p.settled(move, nil)
	p.told("b", "b", "c", true)
	p.told("b", "b", "c", true) // the answer may have been lost
	if pod := p.pool.remove("b"); pod != "" {
		t.Errorf("with b goes pod %q, which is c's", pod)
	}
	p.wants("c", "x", wayHeld)
	p.outcome("c", false)
	p.told("b", "c", "", false)
	if pod := p.pool.remove("c"); pod != "b" {
		t.Errorf("with c goes pod %q", pod)
	}
	p.deletes()
}

func TestPoolKeepsApartWhatDiffers(t *testing.T) {
	p := newPoolAt(t)
	p.runs("a", "x")
	p.outcome("a", true)
	p.settled(p.wants("b", "y", wayNew), nil)
	again := p.claim("c", "x")
	again.Number = 2
	if _, how := p.take(again); how != wayNew {
		t.Error("a second attempt shares a pod")
	}
	p.outcome("b", true)
	p.forbid()
	p.deletes("a", "b")
	p.wants("d", "x", wayNew)
}

func TestPoolStartsSlowly(t *testing.T) {
	p := newPoolAt(t)
	for i := range slowStart {
		p.settled(p.wants(fmt.Sprint("first-", i), "x", wayNew), nil)
	}
	p.wants("other", "y", wayNew) // another template has its own count
	for i := range 12 {
		p.wants(fmt.Sprint("more-", i), "x", wayWait)
	}
	p.wants("more-0", "x", wayWait) // asked again, it still only waits: should this process end, nobody else would start it
	p.places()
	p.saw(podIn("first-0", corev1.PodRunning))
	p.saw(podIn("first-1", corev1.PodRunning))
	p.places("more-0", "more-1") // of four, two may start
	p.outcome("first-0", true)
	p.settled(p.places("more-2")[0], nil)
	p.told("first-0", "first-0", "more-2", true)
	p.clock = p.clock.Add(longestWait)
	if placed, waiting := p.ready(); len(placed) != 9 || waiting {
		t.Errorf("after a while %d are placed, others wait: %v", len(placed), waiting)
	}
}

func TestPoolDoesNotAskForWhatTheClusterDoesNotHave(t *testing.T) {
	p := newPoolAt(t)
	p.runs("idle", "y")
	p.outcome("idle", true)
	for i := range slowStart {
		p.settled(p.wants(fmt.Sprint("first-", i), "x", wayNew), nil)
	}
	p.wants("more", "x", wayWait)
	stuck := podIn("first-3", corev1.PodPending)
	stuck.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	p.saw(stuck)
	p.deletes("idle") // it gives its room away
	p.clock = p.clock.Add(time.Hour)
	p.places()
	p.saw(podIn("first-0", corev1.PodRunning))
	p.outcome("first-0", true)
	p.places("more")
}

func TestPoolEndsIdlePods(t *testing.T) {
	p := newPoolAt(t)
	p.runs("a", "x")
	p.outcome("a", true)
	p.clock = p.clock.Add(idleLimit - 1)
	p.told("a", "a", "", true)
	p.clock = p.clock.Add(1)
	p.told("a", "a", "", false)
	p.deletes("a")
	p.wants("b", "x", wayNew)

	p.runs("c", "x")
	p.outcome("c", true)
	if got := p.deletions(true); !slices.Equal(got, []string{"c"}) {
		t.Errorf("in the end %v are deleted", got)
	}
	p.told("c", "c", "", false)
}

func TestPoolStops(t *testing.T) {
	p := newPoolAt(t)
	creating := p.wants("creating", "x", wayNew)
	if pod, queued := p.stop("creating"); pod != "creating" || queued {
		t.Errorf("stopping what is created: %q, %v", pod, queued)
	}
	p.settled(creating, nil)
	p.deletes("creating") // it may have come to be after it was deleted

	p.runs("a", "x")
	p.outcome("a", true)
	if pod, _ := p.stop("a"); pod != "" {
		t.Errorf("stopping what has ended deletes %q", pod)
	}
	p.settled(p.wants("b", "x", wayMove), nil)
	if pod, _ := p.stop("b"); pod != "a" {
		t.Errorf("stopping what runs in another's pod deletes %q", pod)
	}
	p.told("a", "a", "", false)

	for i := range slowStart {
		p.wants(fmt.Sprint("first-", i), "z", wayNew)
	}
	p.wants("waits", "z", wayWait)
	if pod, queued := p.stop("waits"); pod != "" || !queued {
		t.Errorf("stopping what waits: %q, %v", pod, queued)
	}
	p.saw(podIn("first-0", corev1.PodRunning))
	p.places()
	if pod, _ := p.stop("unknown"); pod != "unknown" {
		t.Errorf("what isn't known is the pod %q", pod)
	}
}

func TestPoolLosesPods(t *testing.T) {
	p := newPoolAt(t)
	p.runs("a", "x")
	p.outcome("a", true)
	p.saw(podIn("a", corev1.PodFailed)) // it died while it was idle
	p.deletes("a")
	p.told("a", "a", "", false)

	p.runs("b", "x")
	p.outcome("b", true)
	p.settled(p.wants("c", "x", wayMove), nil)
	p.pool.remove("b")
	p.saw(podIn("b", corev1.PodFailed)) // it died while it ran c
	if pod := p.pool.remove("c"); pod != "b" {
		t.Errorf("with c goes pod %q", pod)
	}

	p.runs("d", "x")
	p.outcome("d", true)
	p.settled(p.wants("e", "x", wayMove), errors.New("it isn't what it was"))
	p.deletes("d")
	p.wants("e", "x", wayNew)

	p.runs("f", "x")
	p.outcome("f", true)
	p.listed([]corev1.Pod{*podIn("e", corev1.PodRunning)})
	p.wants("g", "x", wayNew)
}

func TestPoolAdoptsPods(t *testing.T) {
	p := newPoolAt(t)
	pod := podIn("a", corev1.PodRunning)
	pod.Annotations = map[string]string{annotationFit: "x", annotationTenant: "b"}
	p.adopt(pod)
	p.wants("b", "x", wayHeld)
	p.told("a", "a", "b", true) // its launcher had not heard of it yet
	p.outcome("b", true)
	p.settled(p.wants("c", "x", wayMove), nil)
	p.told("a", "b", "c", true)
	apart := podIn("d", corev1.PodRunning)
	p.adopt(apart)
	if pod, _ := p.stop("d"); pod != "d" {
		t.Errorf("a pod that isn't shared: %q", pod)
	}
}

func TestPoolMovesWhatNoNodeTakes(t *testing.T) {
	p := newPoolAt(t)
	p.runs("a", "x")
	p.settled(p.wants("b", "x", wayNew), nil)
	p.settled(p.wants("other", "y", wayNew), nil)
	p.outcome("other", true)
	stuck := podIn("b", corev1.PodPending)
	stuck.UID, stuck.ResourceVersion = "uid", "7"
	stuck.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	p.saw(stuck)
	p.saw(podIn("other", corev1.PodRunning))
	if got := p.strandings(); len(got) > 0 {
		t.Fatalf("goes to %v before a pod is free", got)
	}
	p.outcome("a", true)
	p.saw(stuck) // who waits for work takes it, rather than giving way
	got := p.strandings()
	if len(got) != 1 || got[0].host.pod != "b" || got[0].uid != "uid" || got[0].version != "7" {
		t.Fatalf("stranded are %+v", got)
	}
	if again := p.strandings(); len(again) > 0 {
		t.Error("it is deleted twice")
	}
	if !p.vacated(got[0].host) {
		t.Error("it was stopped")
	}
	p.gone("b")
	placed := p.places("b")
	p.settled(placed[0], nil)
	p.told("a", "a", "b", true)
}

func TestPoolStopsWhatIsAboutToMove(t *testing.T) {
	p := newPoolAt(t)
	p.runs("a", "x")
	p.settled(p.wants("b", "x", wayNew), nil)
	p.outcome("a", true)
	stuck := podIn("b", corev1.PodPending)
	stuck.UID, stuck.ResourceVersion = "uid", "7"
	stuck.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	p.saw(stuck)
	got := p.strandings()
	if pod, _ := p.stop("b"); pod != "b" || len(got) != 1 {
		t.Fatalf("stopping it deletes %q; stranded are %v", pod, got)
	}
	if p.vacated(got[0].host) {
		t.Error("it goes on")
	}
	p.places()
}

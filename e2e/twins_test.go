package e2e

import (
	"context"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// lingers is how long the pod of a coordinator stays after its deletion, by a setting of storm.py, before its process hears
// of it.
const lingers = 45 * time.Second

// twins runs the pipeline with two coordinators at once: the first one's process stands still as on a node that hangs, its
// pod is deleted and replaced, and then the process goes on. It has to notice that another has the run, and to end by itself.
func (s *storms) twins(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: twins warm|pod")
	}
	ctx, cancel := context.WithTimeout(context.Background(), stormLimit)
	defer cancel()
	before := newest(ts)
	program := s.start(ts, args[0], "TWINS=yes")
	w := &weather{ctx: ctx, ts: ts, say: s.t.Logf, client: s.client, namespace: ts.Getenv("ID"), program: program}
	many := 2 + s.faults.IntN(8)
	until(ctx, ts, "get far enough", func() (record, bool) {
		r := newest(ts)
		return r, r.id != before.id && r.succeeded() >= many
	})
	first := s.replace(w)
	run := until(ctx, ts, "end", func() (record, bool) { r := newest(ts); return r, r.final() })
	if err := program.Wait(); err != nil {
		ts.Fatalf("the client failed: %v\n%s", err, ts.ReadFile("client.log"))
	}
	s.fenced(ts, <-first)
	calm(ts)
	s.judge(ts, run)
	if diff := cmp.Diff(s.want, digests(run)); diff != "" {
		ts.Fatalf("the artifacts are not those of an undisturbed run (-undisturbed +this):\n%s", diff)
	}
}

// replace makes two coordinators of one, and returns the last that will be seen of the first one's pod.
func (s *storms) replace(w *weather) <-chan *corev1.Pod {
	first, err := w.pick(coordinators, fault{})
	w.ts.Check(err)
	last := w.lastOf(first.Name)
	pid := 0
	for _, p := range processesOf(first.Name) {
		if isFirst(p) {
			pid = p.pid
		}
	}
	if pid == 0 {
		w.ts.Fatalf("the coordinator %s has no process", first.Name)
	}
	w.ts.Check(syscall.Kill(pid, syscall.SIGSTOP))
	deleted := time.Now()
	w.ts.Check(w.client.CoreV1().Pods(w.namespace).Delete(w.ctx, first.Name, metav1.DeleteOptions{}))
	second := until(w.ctx, w.ts, "get another coordinator", func() (string, bool) {
		holder := holderOf(w.ts)
		return holder, holder != "" && holder != first.Name
	})
	more := time.Duration(s.faults.IntN(4000)) * time.Millisecond
	time.Sleep(more)
	w.say("%s stood still when %s took its run, and goes on %s later", first.Name, second, more)
	if len(processesOf(first.Name)) == 0 {
		w.ts.Fatalf("the process of %s is gone already", first.Name)
	}
	w.ts.Check(syscall.Kill(pid, syscall.SIGCONT))
	went := time.Now()
	until(w.ctx, w.ts, "lose the coordinator that was replaced", func() (int, bool) {
		left := len(processesOf(first.Name))
		return left, left == 0
	})
	if time.Since(deleted) > lingers {
		w.ts.Fatalf("%s ended only when it was told to", first.Name)
	}
	w.say("%s ended by itself after %s", first.Name, time.Since(went).Round(time.Millisecond))
	return last
}

// fenced checks how the pod of a coordinator has ended that was replaced.
func (s *storms) fenced(ts *testscript.TestScript, pod *corev1.Pod) {
	if pod == nil || len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].State.Terminated == nil {
		ts.Fatalf("nobody told how the first coordinator ended: %+v", pod)
	}
	end := pod.Status.ContainerStatuses[0].State.Terminated
	if end.ExitCode == 0 || end.ExitCode > 128 || !strings.Contains(end.Message, "taken over by another coordinator") {
		ts.Fatalf("the first coordinator ended with code %d: %s", end.ExitCode, end.Message)
	}
}

// calm checks that the client has told of a replaced coordinator once, and of nothing else that would trouble its user.
func calm(ts *testscript.TestScript) {
	told := notices(ts)
	if len(told) != 1 || !strings.HasPrefix(told[0], "! the coordinator was lost") || !strings.HasSuffix(told[0], "another has taken over") {
		ts.Fatalf("the client said %q", told)
	}
}

// notices are the lines of the client that are about neither the run nor its steps.
func notices(ts *testscript.TestScript) (told []string) {
	for line := range strings.Lines(ts.ReadFile("client.log")) {
		if strings.HasPrefix(line, "! ") {
			told = append(told, strings.TrimSpace(line))
		}
	}
	return told
}

// odd matches what a coordinator or the cluster says when it is lost, which its user need not see.
var odd = regexp.MustCompile(`context canceled|unable to retrieve|^! coordinator:|epoch`)

// clear checks that whatever befell the run is told in words for its user.
func (s *storms) clear(ts *testscript.TestScript) {
	for _, line := range notices(ts) {
		s.t.Log(line)
		if odd.MatchString(line) {
			ts.Fatalf("the client said %q", line)
		}
	}
}

// lastOf watches a pod until it is gone, and tells the last that was seen of it.
func (w *weather) lastOf(name string) <-chan *corev1.Pod {
	watch, err := w.client.CoreV1().Pods(w.namespace).Watch(w.ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(),
	})
	w.ts.Check(err)
	told := make(chan *corev1.Pod, 1)
	go func() {
		defer watch.Stop()
		var last *corev1.Pod
		for event := range watch.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				last = pod
			}
			if event.Type == "DELETED" {
				break
			}
		}
		told <- last
	}()
	return told
}

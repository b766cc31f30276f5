package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// coordinatorPodAt is a coordinator's pod, whose container runs or has ended.
func coordinatorPodAt(name string, born int64, running bool) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(born, 0))}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: "c-" + name}}
	if running {
		p.Status.ContainerStatuses[0].State.Running = &corev1.ContainerStateRunning{}
	} else {
		p.Status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 5}
	}
	return p
}

// A coordinator that was evicted stays, for a look at it. Its log is read once, and then that of the one in its place, whatever
// the clock of its node.
func TestFollowGoesOnAfterOneThatStays(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		words, hour := "first", 9
		if strings.Contains(r.URL.Path, "/pods/young/") {
			words, hour = "second", 8
		}
		_, _ = fmt.Fprintf(w, "2026-11-24T%02d:00:00.000000001Z %s\n", hour, words)
	}))
	defer server.Close()
	c, err := NewClient(ClientConfig{Context: "test"}, &Options{Rest: &rest.Config{Host: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	over, young := coordinatorPodAt("over", 1, false), coordinatorPodAt("young", 2, true)
	s := &scene{changed: make(chan struct{}, 1), pods: map[string]*corev1.Pod{"over": over, "young": young}, podsKnown: true, jobKnown: true}
	var got []string
	f := &follow{client: c, run: "r", scene: s, done: map[string]bool{}, to: Follower{Line: func(line []byte) error {
		if got = append(got, string(line)); len(got) == 2 {
			return io.EOF
		}
		return nil
	}}}
	if err := f.loop(t.Context()); !errors.Is(err, io.EOF) || strings.Join(got, ",") != "first,second" {
		t.Errorf("passed on %q, ended with %v", got, err)
	}
}

// A coordinator that has been replaced has nothing to say any more, though it seems to run.
func TestFollowLeavesWhoWasReplaced(t *testing.T) {
	old, over, young := coordinatorPodAt("old", 1, true), coordinatorPodAt("over", 1, false), coordinatorPodAt("young", 2, true)
	for want, pods := range map[string][]*corev1.Pod{"old": {old}, "young": {old, young}, "over": {over, young}} {
		if got := (&follow{done: map[string]bool{}}).unread(pods); got == nil || got.Name != want {
			t.Errorf("of %d pods, %v is read, want %s", len(pods), got, want)
		}
	}
	s := &scene{changed: make(chan struct{}, 1), pods: map[string]*corev1.Pod{"old": old}}
	reading, end := s.untilReplaced(t.Context(), old)
	s.update(func() {
		s.pods["coming"] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "coming", CreationTimestamp: young.CreationTimestamp}}
	})
	if reading.Err() != nil {
		t.Error("the reading ended before the other coordinator had started")
	}
	s.update(func() { s.pods["young"] = young })
	if reading.Err() == nil {
		t.Error("the coordinator that was replaced is still read")
	}
	end()
	if reading, end := s.untilReplaced(t.Context(), young); reading.Err() != nil {
		t.Error("the young coordinator isn't read")
	} else {
		end()
	}
}

// What the node says instead of a log isn't the coordinator's.
func TestFollowKeepsTheNodesWordsToItself(t *testing.T) {
	var got []string
	f := &follow{to: Follower{Line: func(line []byte) error { got = append(got, string(line)); return nil }}}
	stamped := "2026-11-24T08:00:00.000000001Z "
	for line, fails := range map[string]bool{stamped + "one": false, "unable to retrieve container logs for containerd://0": true} {
		if err := f.line([]byte(line)); (err != nil) != fails {
			t.Errorf("%q: %v", line, err)
		}
	}
	if strings.Join(got, ",") != "one" {
		t.Errorf("passed on %q", got)
	}
}

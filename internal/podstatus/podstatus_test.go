package podstatus_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/internal/podstatus"
)

func TestOneLine(t *testing.T) {
	if got := podstatus.OneLine("one\n  two\t three "); got != "one two three" {
		t.Errorf("got %q", got)
	}
	if got := podstatus.OneLine(strings.Repeat("ü", 1000)); got != strings.Repeat("ü", 400)+"…" {
		t.Errorf("a long message became %q", got)
	}
}

func TestCondition(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled}, {Type: corev1.PodReady, Reason: "x"}}}}
	if c := podstatus.Condition(pod, corev1.PodReady); c == nil || c.Reason != "x" {
		t.Errorf("got %+v", c)
	}
	if c := podstatus.Condition(pod, corev1.PodInitialized); c != nil {
		t.Errorf("a condition that it doesn't have: %+v", c)
	}
}

func TestPullRefused(t *testing.T) {
	for message, want := range map[string]bool{
		"failed to resolve: Manifest Unknown": true, "pull access denied": true,
		"429 Too Many Requests": false, "dial tcp: i/o timeout": false,
	} {
		if podstatus.PullRefused(message) != want {
			t.Errorf("%q: want %v", message, want)
		}
	}
}

package kubernetes

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestFormerEnd(t *testing.T) {
	at := func(minutes int) metav1.Time { return metav1.NewTime(time.Unix(int64(minutes)*60, 0)) }
	pod := func(name string, born int, change func(*corev1.Pod)) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: at(born)}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: "c-" + name}}
		if change != nil {
			change(&p)
		}
		return p
	}
	ended := func(code int32, reason string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}
		}
	}
	own := pod("own", 9, nil)
	for want, former := range map[string][]corev1.Pod{
		"its pod is gone: it was deleted, or its node was lost": nil,
		"its pod a was deleted":                                 {pod("a", 1, func(p *corev1.Pod) { p.DeletionTimestamp = &own.CreationTimestamp })},
		"the pod was evicted from its node: low on memory": {pod("a", 1, func(p *corev1.Pod) {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "low on memory"
		})},
		"the pod had to give way to a more important one: by default-scheduler": {pod("a", 1, func(p *corev1.Pod) {
			p.DeletionTimestamp = &own.CreationTimestamp
			p.Status.Conditions = []corev1.PodCondition{{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "PreemptionByScheduler", Message: "by default-scheduler",
			}}
		})},
		"it was killed for using more memory than it may": {pod("a", 1, ended(137, "OOMKilled"))},
		"its process was killed with SIGKILL":             {pod("a", 1, ended(137, "Error"))},
		"it ended with exit code 5":                       {pod("b", 2, ended(5, "Error")), pod("a", 1, ended(1, "Error"))},
		"its pod a did not answer any more":               {pod("a", 1, nil)},
	} {
		if got := formerEnd(append(former, own), "own"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for want, change := range map[string]func(*corev1.Pod){
		"": nil, "it was killed for using more memory than it may": func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
		},
	} {
		if got := processEnd([]corev1.Pod{pod("a", 1, ended(5, "Error")), pod("own", 9, change)}, "own"); got != want {
			t.Errorf("of the process before: got %q, want %q", got, want)
		}
	}
}

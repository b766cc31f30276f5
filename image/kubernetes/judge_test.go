package kubernetes

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func pod(change func(*corev1.Pod)) []corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "builder-1"}, Spec: corev1.PodSpec{NodeName: "node-1"}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
	change(&p)
	return []corev1.Pod{p}
}

func waiting(reason, message string) []corev1.Pod {
	return pod(func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Image: "moby/buildkit:x",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	})
}

func ended(reason, message string, code int32) []corev1.Pod {
	return pod(func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodFailed
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, Message: message, ExitCode: code}}}}
	})
}

func refusedBy(message string) []corev1.Event {
	return []corev1.Event{{Reason: "SuccessfulCreate"}, {Reason: "FailedCreate", Message: message}}
}

func TestJudge(t *testing.T) {
	job := &batchv1.Job{}
	overdue := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Reason: batchv1.JobReasonDeadlineExceeded}}}}
	for name, c := range map[string]struct {
		seen         seen
		reason, hint string
		ended        bool
		patience     time.Duration
		pod          string
	}{
		"no job":   {seen: seen{}, reason: "its job is gone", hint: "again", ended: true},
		"no pod":   {seen: seen{job: job}, reason: "waiting for its pod", hint: "describe job", patience: pullPatience},
		"overdue":  {seen: seen{job: overdue}, reason: "didn't say in time", hint: "again", ended: true},
		"security": {seen: seen{job: job, events: refusedBy(`violates PodSecurity "restricted:latest": seccompProfile`)}, reason: "seccompProfile", hint: "pod-security.kubernetes.io/enforce=privileged", patience: refusedPatience},
		"quota":    {seen: seen{job: job, events: refusedBy("exceeded quota: small")}, reason: "exceeded quota: small", hint: "make room", patience: refusedPatience},
		"account":  {seen: seen{job: job, events: refusedBy(`error looking up service account x: serviceaccount "x" not found`)}, reason: "not found", hint: "--service_account_name", patience: refusedPatience},
		"no node": {seen: seen{job: job, pods: pod(func(p *corev1.Pod) {
			p.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes: Insufficient memory"}
		})}, reason: "Insufficient memory", hint: "node_selectors", patience: nodePatience},
		"pulling":   {seen: seen{job: job, pods: waiting("ContainerCreating", "")}, reason: "pulling the image or preparing the volume on node node-1"},
		"no image":  {seen: seen{job: job, pods: waiting("ErrImagePull", "moby/buildkit:x: not found")}, reason: "moby/buildkit:x can't be pulled", hint: "--image", patience: notFoundPatience},
		"pull":      {seen: seen{job: job, pods: waiting("ImagePullBackOff", "i/o timeout")}, reason: "i/o timeout", hint: "reach the registry", patience: pullPatience},
		"container": {seen: seen{job: job, pods: waiting("CreateContainerError", "no such runtime")}, reason: "no such runtime", hint: "--image", patience: createPatience},
		"memory":    {seen: seen{job: job, pods: ended("OOMKilled", "", 137)}, reason: "memory was used up", hint: "--resources", ended: true},
		"rootless": {seen: seen{job: job, pods: ended("Error", "[rootlesskit:parent] error: failed to setup UID/GID map: newuidmap 12 failed\n: exit status 1", 1)},
			reason: "exit code 1: [rootlesskit:parent]", hint: "--privileged=true", ended: true},
		"crash": {seen: seen{job: job, pods: ended("Error", "panic", 2)}, reason: "exit code 2: panic", hint: "again", ended: true},
		"evicted": {seen: seen{job: job, pods: pod(func(p *corev1.Pod) {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "The node was low on resource: ephemeral-storage."
		})}, reason: "(Evicted): The node was low", hint: "storage_size", ended: true},
		"deleted": {seen: seen{job: job, pods: pod(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })}, reason: "its pod was deleted", hint: "again", ended: true},
		"runs": {seen: seen{job: job, pods: pod(func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		})}, reason: "until BuildKit answers", pod: "builder-1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(c.seen)
			if !strings.Contains(got.reason, c.reason) || !strings.Contains(got.hint, c.hint) || got.ended != c.ended || got.patience != c.patience || got.pod != c.pod {
				t.Errorf("got %+v", got)
			}
		})
	}
}

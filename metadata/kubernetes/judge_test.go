package kubernetes

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func deployed(status appsv1.DeploymentStatus) *appsv1.Deployment {
	d := testConfig().buildDeployment()
	d.Generation = 2
	d.Status = status
	return d
}

// pod returns a pod that has a node, with the state of its container; nil means that there is no news of it.
func podWith(state *corev1.ContainerStatus) []corev1.Pod {
	pod := corev1.Pod{Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{
		Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}}}
	if state != nil {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{*state}
	}
	return []corev1.Pod{pod}
}

func waitingFor(reason, message string) *corev1.ContainerStatus {
	return &corev1.ContainerStatus{Image: "mysql:8.4", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

func unscheduledPod(message string) []corev1.Pod {
	return []corev1.Pod{{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message}}}}}
}

func claimIn(phase corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: phase}}
}

func ended(restarts int32, message string) *corev1.ContainerStatus {
	c := waitingFor("CrashLoopBackOff", "back-off 10s")
	c.RestartCount = restarts
	c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: message}
	return c
}

func TestJudge(t *testing.T) {
	coming := deployed(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1})
	deleted := podWith(nil)
	deleted[0].DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	running := &corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	event := func(reason, message string) []corev1.Event { return []corev1.Event{{Reason: reason, Message: message}} }
	for name, test := range map[string]struct {
		seen     seen
		ready    bool
		reason   string
		patience time.Duration
		hint     string
	}{
		"serves": {seen: seen{deployment: deployed(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1})}, ready: true},
		"serves, but an earlier version": {
			seen:   seen{deployment: deployed(appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1})},
			reason: "waiting for its pod"},
		"gone":             {seen{}, false, "the deployment is gone", quotaPatience, "try again"},
		"no pod yet":       {seen{deployment: coming}, false, "waiting for its pod", 0, ""},
		"earlier pod ends": {seen{deployment: coming, pods: deleted}, false, "earlier pod", 0, ""},
		"pod forbidden": {seen{deployment: deployed(appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "pods \"x\" is forbidden: exceeded quota"}}})},
			false, "its pod can't be made: pods \"x\" is forbidden: exceeded quota", quotaPatience, "--kubernetes_namespace"},
		"no node": {seen{deployment: coming, pods: unscheduledPod("0/3 nodes are available: 3 Insufficient memory."), claim: claimIn(corev1.ClaimBound)},
			false, "no node takes its pod: 0/3 nodes are available: 3 Insufficient memory.", nodePatience, "make room"},
		"no volume": {seen{deployment: coming, pods: unscheduledPod("pod has unbound immediate PersistentVolumeClaims"), claim: claimIn(corev1.ClaimPending),
			events: event("FailedBinding", "no persistent volumes available for this claim and no storage class is set")},
			false, "waiting for its volume: no persistent volumes available for this claim and no storage class is set", claimPatience, "--storage_class"},
		"volume after the node": {seen{deployment: coming, pods: unscheduledPod("0/1 nodes are available: 1 Too many pods."), claim: claimIn(corev1.ClaimPending),
			events: event("WaitForFirstConsumer", "waiting for first consumer to be created before binding")},
			false, "no node takes its pod: 0/1 nodes are available: 1 Too many pods.", nodePatience, "make room"},
		"no news":  {seen{deployment: coming, pods: podWith(nil)}, false, "starting on node n1", 0, ""},
		"creating": {seen{deployment: coming, pods: podWith(waitingFor("ContainerCreating", ""))}, false, "pulling the image", 0, ""},
		"image missing": {seen{deployment: coming, pods: podWith(waitingFor("ErrImagePull", `failed to resolve reference "mysql:8.4": mysql:8.4: not found`))},
			false, "the image mysql:8.4 can't be pulled: failed to resolve", notFoundPatience, "--image"},
		"registry away": {seen{deployment: coming, pods: podWith(waitingFor("ImagePullBackOff", "dial tcp: connection refused"))},
			false, "connection refused", pullPatience, "--image"},
		"container forbidden": {seen{deployment: coming, pods: podWith(waitingFor("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"))},
			false, "image will run as root", claimPatience, "--image"},
		"starts":            {seen{deployment: coming, pods: podWith(running)}, false, "waiting until the server answers", 0, ""},
		"ended once":        {seen{deployment: coming, pods: podWith(ended(1, ""))}, false, "exit code 1 (Error)", 0, "logs"},
		"ends and ends":     {seen{deployment: coming, pods: podWith(ended(2, "a\nb\nc\nno space left\n"))}, false, "exit code 1 (Error): b / c / no space left", crashPatience, "proa metadata-store logs"},
		"none of its words": {seen{deployment: coming, pods: podWith(&corev1.ContainerStatus{RestartCount: 2, State: *waitingFor("CrashLoopBackOff", "").State.DeepCopy()})}, false, "ends instead of serving", crashPatience, "logs"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(test.seen)
			if got.ready != test.ready || !strings.Contains(got.reason, test.reason) || got.patience != test.patience || !strings.Contains(got.hint, test.hint) {
				t.Errorf("got %+v", got)
			}
			if !got.ready && got.reason == "" {
				t.Error("no reason is given")
			}
		})
	}
}

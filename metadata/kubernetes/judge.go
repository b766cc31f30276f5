package kubernetes

import (
	"fmt"
	"slices"
	"time"

	"github.com/proa-ml/proa/internal/podstatus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// seen is what the cluster shows of a server.
type seen struct {
	deployment *appsv1.Deployment
	claim      *corev1.PersistentVolumeClaim
	pods       []corev1.Pod
	// events are those of the claim, oldest first.
	events []corev1.Event
}

// judgement is what to think of it.
type judgement struct {
	ready  bool
	reason string
	// patience is how long this may last before it is given up; 0 means that it passes, or that something else comes of it.
	patience time.Duration
	// hint is what to do then.
	hint string
}

// How long the user may watch what probably doesn't pass.
const (
	claimPatience    = 30 * time.Second
	quotaPatience    = 15 * time.Second
	nodePatience     = 3 * time.Minute // a node may have to be added
	pullPatience     = time.Minute
	notFoundPatience = 10 * time.Second
	crashPatience    = 5 * time.Second
)

// judge tells why a server doesn't serve yet, if it doesn't.
func judge(s seen) judgement {
	if d := s.deployment; d == nil {
		return judgement{reason: "the deployment is gone", patience: quotaPatience, hint: "try again"}
	} else if served(d) {
		return judgement{ready: true}
	}
	pods := slices.DeleteFunc(slices.Clone(s.pods), func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods) == 0 {
		return withoutPod(s)
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	pod := &pods[0]
	if c := podstatus.Condition(pod, corev1.PodScheduled); c == nil || c.Status != corev1.ConditionTrue {
		return unscheduled(s, c)
	}
	return starting(pod)
}

// served says that the present version of the deployment runs, and that nothing else does.
func served(d *appsv1.Deployment) bool {
	status := d.Status
	return status.ObservedGeneration >= d.Generation && status.Replicas == 1 && status.UpdatedReplicas == 1 && status.ReadyReplicas == 1
}

func withoutPod(s seen) judgement {
	for _, c := range s.deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return judgement{reason: "its pod can't be made: " + podstatus.OneLine(c.Message), patience: quotaPatience,
				hint: "change what forbids it, or choose another namespace with --kubernetes_namespace"}
		}
	}
	if len(s.pods) > 0 {
		return judgement{reason: "waiting until the earlier pod has ended"}
	}
	return judgement{reason: "waiting for its pod"}
}

// unscheduled tells a volume that is missing from nodes that are full, which a scheduler reports alike.
func unscheduled(s seen, c *corev1.PodCondition) judgement {
	if s.claim != nil && s.claim.Status.Phase == corev1.ClaimPending && !firstConsumer(s.events) {
		return pendingClaim(s)
	}
	reason := "waiting for a node"
	if c != nil && c.Message != "" {
		reason = "no node takes its pod: " + podstatus.OneLine(c.Message)
	}
	return judgement{reason: reason, patience: nodePatience, hint: "make room in the cluster, and try again"}
}

// firstConsumer says that the volume is only provided once a node was chosen.
func firstConsumer(events []corev1.Event) bool {
	return len(events) > 0 && events[len(events)-1].Reason == "WaitForFirstConsumer"
}

func pendingClaim(s seen) judgement {
	j := judgement{reason: "waiting for its volume", patience: claimPatience,
		hint: "check that something provides volumes of its storage class, or choose another one with --storage_class (`kubectl get storageclass`)"}
	if len(s.events) > 0 {
		j.reason += ": " + podstatus.OneLine(s.events[len(s.events)-1].Message)
	}
	return j
}

// starting tells why the pod that has a node is not ready.
func starting(pod *corev1.Pod) judgement {
	if len(pod.Status.ContainerStatuses) == 0 {
		return judgement{reason: "starting on node " + pod.Spec.NodeName}
	}
	c := pod.Status.ContainerStatuses[0]
	if c.RestartCount > 1 || c.RestartCount > 0 && c.State.Running == nil {
		return crashing(c)
	}
	if c.State.Waiting == nil {
		if c.State.Terminated != nil {
			return crashing(c)
		}
		return judgement{reason: "waiting until the server answers"}
	}
	if reason, final := podstatus.PullFailure(c); reason != "" {
		j := judgement{reason: reason, patience: pullPatience,
			hint: "check that the cluster's nodes reach the registry, or choose another image with --image"}
		if final {
			j.patience = notFoundPatience
		}
		return j
	}
	if reason := podstatus.NotMade(c); reason != "" {
		return judgement{reason: reason, patience: claimPatience, hint: "change what forbids it, or choose another image with --image"}
	}
	return judgement{reason: "pulling the image or preparing the volume on node " + pod.Spec.NodeName}
}

// crashing is the judgement of a server that ends instead of serving. Its last words are the end of its log.
func crashing(c corev1.ContainerStatus) judgement {
	end := c.State.Terminated
	if end == nil {
		end = c.LastTerminationState.Terminated
	}
	j := judgement{reason: "the server ends instead of serving", hint: "see what it says: `proa metadata-store logs`"}
	if c.RestartCount > 1 {
		j.patience = crashPatience
	}
	if end != nil {
		j.reason = fmt.Sprintf("the server ended with exit code %d (%s)", end.ExitCode, end.Reason)
		if words := podstatus.LastWords(end); words != "" {
			j.reason += ": " + words
		}
	}
	return j
}

func ready(pod *corev1.Pod) bool {
	c := podstatus.Condition(pod, corev1.PodReady)
	return pod.DeletionTimestamp == nil && c != nil && c.Status == corev1.ConditionTrue
}

package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/internal/podstatus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// seen is what the cluster shows of a builder.
type seen struct {
	job  *batchv1.Job
	pods []corev1.Pod
	// events are those of the Job, oldest first.
	events []corev1.Event
}

// judgement is what to think of it.
type judgement struct {
	// pod is the name of the pod that runs, if one does.
	pod    string
	reason string
	// ended says that nothing comes of it any more.
	ended bool
	// patience is how long this may last before it is given up; 0 means that it passes, or that something else comes of it.
	patience time.Duration
	// hint is what to do then.
	hint string
}

// How long the user may watch what probably doesn't pass.
const (
	refusedPatience  = 5 * time.Second
	nodePatience     = 3 * time.Minute // a node may have to be added
	pullPatience     = time.Minute
	notFoundPatience = 10 * time.Second
	createPatience   = 30 * time.Second
)

// judge tells why a builder doesn't run yet, or not any more.
func judge(s seen) judgement {
	if s.job == nil {
		return judgement{reason: "its job is gone", ended: true, hint: again}
	}
	if len(s.pods) == 0 {
		return withoutPod(s)
	}
	pod := &s.pods[0]
	status := pod.Status
	switch {
	case pod.DeletionTimestamp != nil:
		return judgement{reason: "its pod was deleted" + overdue(s.job), ended: true, hint: again}
	case status.Phase == corev1.PodFailed, status.Phase == corev1.PodSucceeded:
		return over(pod)
	}
	if c := podstatus.Condition(pod, corev1.PodScheduled); c == nil || c.Status != corev1.ConditionTrue {
		reason := "waiting for a node"
		if c != nil && c.Message != "" {
			reason = "no node takes its pod: " + podstatus.OneLine(c.Message)
		}
		return judgement{reason: reason, patience: nodePatience,
			hint: "make room in the cluster, or change the builder's resources, node_selectors or tolerations"}
	}
	if len(status.ContainerStatuses) == 0 || status.ContainerStatuses[0].State.Waiting != nil {
		return starting(pod)
	}
	return judgement{pod: pod.Name, reason: "waiting until BuildKit answers"}
}

const again = "run the same command again"

// overdue says that a Job has ended because its deadline wasn't put off.
func overdue(job *batchv1.Job) string {
	for _, c := range job.Status.Conditions {
		if c.Type == batchv1.JobFailed && c.Reason == batchv1.JobReasonDeadlineExceeded {
			return ", since this machine didn't say in time that it still builds"
		}
	}
	return ""
}

// withoutPod finds out what keeps the pod from being made, which only events tell.
func withoutPod(s seen) judgement {
	for _, e := range slices.Backward(s.events) {
		if e.Reason != "FailedCreate" {
			continue
		}
		j := judgement{reason: "its pod can't be made: " + podstatus.OneLine(e.Message), patience: refusedPatience,
			hint: "change what forbids it, or choose another namespace with --kubernetes_namespace"}
		switch {
		case strings.Contains(e.Message, "PodSecurity"):
			j.hint = fmt.Sprintf("BuildKit needs a namespace with the label %s=privileged: choose another one with --kubernetes_namespace "+
				"(proa makes one that is missing), or have that label set", labelSecurity)
		case strings.Contains(e.Message, "exceeded quota"), strings.Contains(e.Message, "failed quota"):
			j.hint = "make room in the namespace's quota, set the builder's resources, or choose another namespace with --kubernetes_namespace"
		case strings.Contains(e.Message, "serviceaccount"):
			j.hint = "make that service account, or choose another one with --service_account_name"
		}
		return j
	}
	if reason := overdue(s.job); reason != "" {
		return judgement{reason: "its pod was ended" + reason, ended: true, hint: again}
	}
	return judgement{reason: "waiting for its pod", patience: pullPatience, hint: "see what `kubectl describe job` says of it"}
}

// starting tells why a pod that has a node doesn't run.
func starting(pod *corev1.Pod) judgement {
	j := judgement{reason: "pulling the image or preparing the volume on node " + pod.Spec.NodeName}
	if len(pod.Status.ContainerStatuses) == 0 {
		return j
	}
	c := pod.Status.ContainerStatuses[0]
	if reason, final := podstatus.PullFailure(c); reason != "" {
		j = judgement{reason: reason, patience: pullPatience,
			hint: "check that the cluster's nodes reach the registry, or choose another image with --image"}
		if final {
			j.patience = notFoundPatience
		}
	}
	if reason := podstatus.NotMade(c); reason != "" {
		j = judgement{reason: reason, patience: createPatience, hint: "change what forbids it, or choose another image with --image"}
	}
	return j
}

// over tells why a pod has ended.
func over(pod *corev1.Pod) judgement {
	j := judgement{reason: "its pod has ended", ended: true, hint: again}
	if pod.Status.Reason != "" {
		j.reason = fmt.Sprintf("its pod was ended (%s): %s", pod.Status.Reason, podstatus.OneLine(pod.Status.Message))
	}
	if pod.Status.Reason == "Evicted" {
		j.hint = "set the builder's resources or storage_size to what it needs, and run the same command again"
	}
	if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].State.Terminated == nil {
		return j
	}
	end := pod.Status.ContainerStatuses[0].State.Terminated
	switch {
	case end.Reason == "OOMKilled":
		j.reason = "its memory was used up"
		j.hint = `give it more: --resources='{"requests":{"memory":"4Gi"},"limits":{"memory":"4Gi"}}'`
	case pod.Status.Reason == "":
		j.reason = fmt.Sprintf("BuildKit ended with exit code %d: %s", end.ExitCode, podstatus.LastWords(end))
		if rootless(end.Message) {
			j.hint = "the node doesn't let an ordinary user make user namespaces: choose other nodes with --node_selectors, have its settings " +
				"user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns changed, or use --privileged=true"
		}
	}
	return j
}

// rootless says that BuildKit couldn't start as an ordinary user.
func rootless(text string) bool {
	for _, sign := range []string{"[rootlesskit", "newuidmap", "newgidmap", "user namespace", "user_namespaces", "userns"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

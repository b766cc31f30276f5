package kubernetes

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// How long a state that may pass is given before it counts as final.
const (
	// pullGrace is for pulls that fail for reasons that may pass: a registry that throttles, a network that is down.
	pullGrace = 2 * time.Minute
	// pullGraceDefinite is for answers of a registry that seldom change: no such image, no access.
	pullGraceDefinite = 10 * time.Second
	// configGrace is for what a container's configuration refers to and may yet appear.
	configGrace = 30 * time.Second
	// lostGrace is how long past its deletion a pod may stay before its node counts as lost.
	lostGrace = 30 * time.Second
)

// observation is what a pod's status says: the attempt's status now and, if that can't last, what it becomes.
type observation struct {
	status driver.Status
	doubt  *doubt
	// limit is what a pod that doesn't run yet becomes if it doesn't for too long; nil if it may take for ever.
	limit *doubt
}

// doubt is a state that becomes a failure unless it changes in time. That begins when it is first seen: when it began, by the
// clock of another machine, means nothing.
type doubt struct {
	grace   time.Duration
	failure step.Failure
}

// observe infers what a pod's status says about its attempt. It is pure, and never takes silence for success: whoever
// ended without failure is reported as lost, which is believed only if no outcome was stored.
func observe(pod *corev1.Pod) observation {
	switch {
	case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		return ended(pod, endOf(pod))
	case containerEnd(pod) != nil:
		return ended(pod, endOf(pod))
	case pod.DeletionTimestamp != nil:
		return deleting(pod)
	case pod.Status.Phase == corev1.PodRunning || containerRunning(pod):
		return observation{status: status(pod, driver.Running, "")}
	}
	o := pending(pod)
	o.limit = pendingLimit(pod, o.status.Reason)
	return o
}

// vanished is what is known of an attempt whose pod is gone: the last that was seen of it, if that explains the end.
func vanished(pod *corev1.Pod) driver.Status {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded || containerEnd(pod) != nil {
		return ended(pod, endOf(pod)).status
	}
	if f := disruption(pod); f != nil {
		return ended(pod, *f).status
	}
	return lostStatus(pod.Name)
}

// lostStatus is the end of an attempt whose pod doesn't exist.
func lostStatus(attempt string) driver.Status {
	return driver.Status{Attempt: attempt, Phase: driver.Ended, ExitCode: -1, Failure: &step.Failure{
		Kind: step.FailureLost, Type: "PodGone", Message: "the pod was deleted while it ran, or never came to be",
	}}
}

func status(pod *corev1.Pod, phase driver.Phase, reason string) driver.Status {
	return driver.Status{Attempt: pod.Name, Phase: phase, Reason: reason, ExitCode: -1}
}

func ended(pod *corev1.Pod, f step.Failure) observation {
	s := status(pod, driver.Ended, "")
	s.Failure = &f
	if end := containerEnd(pod); end != nil {
		s.ExitCode = int(end.ExitCode)
	}
	return observation{status: s}
}

// deleting is a pod that was told to go. It runs until its container ended, unless its node no longer answers.
func deleting(pod *corev1.Pod) observation {
	phase := driver.Pending
	if containerRunning(pod) {
		phase = driver.Running
	}
	f := disruption(pod)
	if f == nil {
		f = &step.Failure{Kind: step.FailureNodeLost, Type: "NodeLost", Message: fmt.Sprintf(
			"the pod was deleted, but node %q did not confirm its end", pod.Spec.NodeName)}
	}
	grace := lostGrace
	if given := pod.DeletionGracePeriodSeconds; given != nil {
		grace += time.Duration(*given) * time.Second
	}
	return observation{
		status: status(pod, phase, "being deleted"),
		doubt:  &doubt{grace: grace, failure: *f},
	}
}

// pending says why a pod doesn't run yet.
func pending(pod *corev1.Pod) observation {
	if c := podstatus.Condition(pod, corev1.PodScheduled); c == nil || c.Status != corev1.ConditionTrue {
		return observation{status: status(pod, driver.Pending, unscheduled(c))}
	}
	waiting := containerWaiting(pod)
	if before := initWaiting(pod); before != nil {
		waiting = before
	}
	if waiting == nil {
		return observation{status: status(pod, driver.Pending, "starting on node "+pod.Spec.NodeName)}
	}
	detail := podstatus.OneLine(waiting.Message)
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed",
		"InvalidImageName", "ErrImageNeverPull":
		return pulling(pod, waiting)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return doubtful(pod, waiting.Reason, "can't create the container: "+detail, step.Failure{
			Kind: step.FailureConfig, Type: waiting.Reason, Message: "the container can't be created: " + detail})
	case "ContainerCreating", "PodInitializing":
		return observation{status: status(pod, driver.Pending, creating(pod))}
	}
	return observation{status: status(pod, driver.Pending, strings.TrimSuffix(waiting.Reason+": "+detail, ": "))}
}

func unscheduled(c *corev1.PodCondition) string {
	if c != nil && c.Reason == corev1.PodReasonSchedulingGated {
		return "held back by its scheduling gates: " + podstatus.OneLine(c.Message)
	}
	if c == nil || c.Message == "" {
		return "waiting for a node"
	}
	return "no node takes it: " + podstatus.OneLine(c.Message)
}

// creating tells setting up from pulling, which a kubelet reports under one name.
func creating(pod *corev1.Pod) string {
	if c := podstatus.Condition(pod, corev1.PodReadyToStartContainers); c != nil && c.Status == corev1.ConditionTrue {
		return "pulling image or creating container"
	}
	return "preparing network and volumes"
}

func pulling(pod *corev1.Pod, waiting *corev1.ContainerStateWaiting) observation {
	image := imageOf(pod)
	detail := pullCause(waiting.Message, image)
	o := doubtful(pod, waiting.Reason, strings.TrimSuffix("can't pull image yet: "+detail, ": "), imageFailure(waiting.Reason, image, detail))
	if o.doubt == nil || o.doubt.grace != pullGrace {
		return o
	}
	if podstatus.PullRefused(detail) {
		o.doubt.grace = pullGraceDefinite
	}
	return o
}

// doubtful is a container that waits for a reason which, if the pod's settings count it as one, becomes a failure.
func doubtful(pod *corev1.Pod, reason, words string, failure step.Failure) observation {
	grace, fails := waitingReasonsOf(pod).graceOf(reason)
	switch {
	case !fails:
		return observation{status: status(pod, driver.Pending, words)}
	case grace == 0:
		return ended(pod, failure)
	}
	return observation{status: status(pod, driver.Pending, words), doubt: &doubt{grace: grace, failure: failure}}
}

// pullCause is what remains of a failed pull's message behind the last time it repeats the image.
func pullCause(message, image string) string {
	if at := strings.LastIndex(message, image); at >= 0 && image != "" {
		if cause := strings.Trim(message[at+len(image):], `":, `); cause != "" {
			return podstatus.OneLine(cause)
		}
	}
	return podstatus.OneLine(message)
}

func imageFailure(reason, image, detail string) step.Failure {
	return step.Failure{Kind: step.FailureImage, Type: reason, Message: fmt.Sprintf(
		"image %s can't be pulled: %s", image, detail)}
}

func containerStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	if len(pod.Status.ContainerStatuses) == 0 {
		return nil
	}
	return &pod.Status.ContainerStatuses[0]
}

func containerEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if s := containerStatus(pod); s != nil {
		return s.State.Terminated
	}
	return nil
}

func containerWaiting(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	if s := containerStatus(pod); s != nil {
		return s.State.Waiting
	}
	return nil
}

// initWaiting is why a container before the step's doesn't run, unless that is only its turn.
func initWaiting(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	for i := range pod.Status.InitContainerStatuses {
		if w := pod.Status.InitContainerStatuses[i].State.Waiting; w != nil && w.Reason != "PodInitializing" {
			return w
		}
	}
	return nil
}

func containerRunning(pod *corev1.Pod) bool {
	s := containerStatus(pod)
	return s != nil && s.State.Running != nil
}

func imageOf(pod *corev1.Pod) string {
	if len(pod.Spec.Containers) == 0 {
		return ""
	}
	return pod.Spec.Containers[0].Image
}

package kubernetes

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/step"
)

// podReasons are the reasons a pod as a whole fails for, and whose failure that is.
var podReasons = map[string]step.FailureKind{
	"Evicted":                  step.FailureEvicted,
	"NodeShutdown":             step.FailureEvicted,
	"Shutdown":                 step.FailureEvicted,
	"Terminated":               step.FailureEvicted,
	"NodeLost":                 step.FailureNodeLost,
	"NodeAffinity":             step.FailureEvicted,
	"UnexpectedAdmissionError": step.FailureEvicted,
	"Preempting":               step.FailurePreempted,
	"DeadlineExceeded":         step.FailureTimeout,
}

// terminationTarget is the condition that Kueue gives a pod that it ends to make room for another.
const terminationTarget corev1.PodConditionType = "TerminationTarget"

// disruptions are the reasons of the condition DisruptionTarget.
var disruptions = map[string]step.FailureKind{
	"PreemptionByScheduler":  step.FailurePreempted,
	"DeletionByTaintManager": step.FailureNodeLost,
	"DeletionByPodGC":        step.FailureNodeLost,
	"EvictionByEvictionAPI":  step.FailureEvicted,
	"TerminationByKubelet":   step.FailureEvicted,
	"StoppedByKueue":         step.FailurePreempted,
}

// endOf explains the end of a pod that has ended: first what befell its container, then what befell the pod.
func endOf(pod *corev1.Pod) step.Failure {
	end := containerEnd(pod)
	if end != nil && end.Reason == "OOMKilled" {
		return oomFailure(pod)
	}
	if f := podFailure(pod); f != nil {
		return *f
	}
	if f := initFailure(pod); f != nil && end == nil {
		return *f
	}
	if end == nil {
		return lost("NoStatus", "the pod ended, but its node did not say how")
	}
	switch end.Reason {
	case "StartError", "ContainerCannotRun":
		return step.Failure{Kind: step.FailureImage, Type: end.Reason, Message: fmt.Sprintf(
			"image %s can't be started: %s", imageOf(pod), podstatus.OneLine(end.Message))}
	case "ContainerStatusUnknown":
		return step.Failure{Kind: step.FailureNodeLost, Type: end.Reason, Message: "the node lost track of the container"}
	}
	f := exitFailure(pod, int(end.ExitCode))
	if last := lastLine(end.Message); last != "" {
		f.Message += "; its last words: " + last
	}
	return f
}

// initFailure is the failure of a container before the step's, or nil.
func initFailure(pod *corev1.Pod) *step.Failure {
	for _, s := range pod.Status.InitContainerStatuses {
		if end := s.State.Terminated; end != nil && end.ExitCode != 0 {
			message := fmt.Sprintf("the init container %q ended with exit code %d", s.Name, end.ExitCode)
			if last := lastLine(end.Message); last != "" {
				message += "; its last words: " + last
			}
			return &step.Failure{Kind: step.FailureConfig, Type: "InitContainer", Message: message}
		}
	}
	return nil
}

// podFailure is a failure of the pod as a whole, or nil.
func podFailure(pod *corev1.Pod) *step.Failure {
	reason := pod.Status.Reason
	kind, known := podReasons[reason]
	if !known && strings.HasPrefix(reason, "OutOf") {
		kind, known = step.FailureEvicted, true
	}
	if !known {
		return disruption(pod)
	}
	if f := disruption(pod); f != nil && kind == step.FailureEvicted {
		kind = f.Kind
	}
	return &step.Failure{Kind: kind, Type: reason, Message: explain(string(kind), pod.Status.Message)}
}

// disruption is a failure that the cluster brought about on purpose, or nil.
func disruption(pod *corev1.Pod) *step.Failure {
	c := podstatus.Condition(pod, corev1.DisruptionTarget)
	if c == nil {
		c = podstatus.Condition(pod, terminationTarget)
	}
	if c == nil || c.Status != corev1.ConditionTrue {
		return nil
	}
	kind, known := disruptions[c.Reason]
	if !known {
		kind = step.FailureEvicted
	}
	return &step.Failure{Kind: kind, Type: c.Reason, Message: explain(string(kind), c.Message)}
}

// oomFailure is a container whose processes used more memory than it may. It is said of a container that ended with
// code 0, too, if a child was killed and PID 1 lived on.
func oomFailure(pod *corev1.Pod) step.Failure {
	message := "a process was killed for using more memory than its node had"
	if len(pod.Spec.Containers) > 0 {
		if limit, ok := pod.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]; ok {
			message = fmt.Sprintf("a process was killed for using more memory than the step's %s", limit.String())
		}
	}
	return step.Failure{Kind: step.FailureOOM, Type: "OOMKilled", Message: message}
}

// exitFailure explains a container that ended by itself, in case it left no outcome.
func exitFailure(pod *corev1.Pod, code int) step.Failure {
	switch code {
	case step.ExitUsage:
		return step.Failure{Kind: step.FailureConfig, Type: "LauncherUsage",
			Message: "the launcher was started with unusable arguments or environment"}
	case step.ExitStore:
		return lost("LauncherStore", "the launcher could not reach the artifact store, or was refused by it, from the pod's node")
	case step.ExitStart:
		return step.Failure{Kind: step.FailureConfig, Type: "LauncherStart",
			Message: "the launcher could not start the runner: the image " + imageOf(pod) + " lacks it"}
	case step.ExitSuperseded:
		return lost("Superseded", "another launcher had begun this attempt already, or stored another outcome for it")
	case 137:
		return lost("Killed", "the container was killed (SIGKILL) before it could leave an outcome")
	case 143:
		return lost("Terminated", "the container was told to end (SIGTERM) and left no outcome")
	}
	return lost("ExitCode", fmt.Sprintf("the container ended with exit code %d and left no outcome", code))
}

// lastLine is the last line of what the kubelet kept of a container's log.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return podstatus.OneLine(text[strings.LastIndexByte(text, '\n')+1:])
}

func lost(kind, message string) step.Failure {
	return step.Failure{Kind: step.FailureLost, Type: kind, Message: message}
}

// explain puts the cluster's own words behind ours.
func explain(what, message string) string {
	words := map[string]string{
		string(step.FailureEvicted):   "the pod was evicted from its node",
		string(step.FailurePreempted): "the pod had to give way to a more important one",
		string(step.FailureNodeLost):  "the pod's node was lost",
		string(step.FailureTimeout):   "the pod ran past its deadline",
	}[what]
	if message = podstatus.OneLine(message); message != "" {
		return words + ": " + message
	}
	return words
}

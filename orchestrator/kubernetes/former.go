package kubernetes

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Former says what became of the coordinator before this one, as far as the cluster still tells: of the one whose process
// this one's was started in the place of or, if there was none, of the one whose pod this one's was made in the place of.
func (o *Orchestrator) Former(ctx context.Context, samePod bool) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := o.client.CoreV1().Pods(o.config.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: runSelector(o.config.Run, componentCoordinator),
	})
	switch {
	case err != nil:
		o.logger.Debug("looking for the coordinator before", "error", err)
		return ""
	case samePod:
		return processEnd(list.Items, o.config.Pod)
	}
	return formerEnd(list.Items, o.config.Pod)
}

// processEnd explains the end of the process before, in the named pod; empty if that pod doesn't tell.
func processEnd(pods []corev1.Pod, own string) string {
	for i := range pods {
		if s := containerStatus(&pods[i]); pods[i].Name == own && s != nil {
			return killed(cmp.Or(s.LastTerminationState.Terminated, s.State.Terminated))
		}
	}
	return ""
}

// killed says by whom a container was killed that could say nothing itself; empty if it wasn't, or isn't known to.
func killed(end *corev1.ContainerStateTerminated) string {
	switch {
	case end == nil:
		return ""
	case end.Reason == "OOMKilled":
		return "it was killed for using more memory than it may"
	case end.ExitCode == 137:
		return "its process was killed with SIGKILL"
	}
	return ""
}

// formerEnd explains the end of the youngest of a run's coordinators besides the one in the named pod.
func formerEnd(pods []corev1.Pod, own string) string {
	var former *corev1.Pod
	for i := range pods {
		if pods[i].Name != own && (former == nil || byAge(former, &pods[i]) < 0) {
			former = &pods[i]
		}
	}
	if former == nil {
		return "its pod is gone: it was deleted, or its node was lost"
	}
	end := containerEnd(former)
	switch f := podFailure(former); {
	case f != nil:
		return f.Message
	case former.DeletionTimestamp != nil:
		return fmt.Sprintf("its pod %s was deleted", former.Name)
	case killed(end) != "":
		return killed(end)
	case end != nil:
		return fmt.Sprintf("it ended with exit code %d", end.ExitCode)
	}
	return fmt.Sprintf("its pod %s did not answer any more", former.Name)
}

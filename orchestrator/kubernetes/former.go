package kubernetes

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Former says what became of the coordinator whose place this one has taken, as far as its pod still tells.
func (o *Orchestrator) Former(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := o.client.CoreV1().Pods(o.config.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: runSelector(o.config.Run, componentCoordinator),
	})
	if err != nil {
		o.logger.Debug("looking for the coordinator before", "error", err)
		return ""
	}
	return formerEnd(list.Items, o.config.Pod)
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
	case end != nil && end.Reason == "OOMKilled":
		return "it was killed for using more memory than it may"
	case former.DeletionTimestamp != nil:
		return fmt.Sprintf("its pod %s was deleted", former.Name)
	case end != nil:
		return fmt.Sprintf("it ended with exit code %d", end.ExitCode)
	}
	return fmt.Sprintf("its pod %s did not answer any more", former.Name)
}

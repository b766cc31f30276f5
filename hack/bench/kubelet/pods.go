package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// watch sees to the namespace's pods on simulated nodes until ctx ends. Everything that a watch that ended may have missed is
// told anew by the next.
func (n *Nodes) watch(ctx context.Context) {
	for ctx.Err() == nil {
		w, err := n.client.CoreV1().Pods(n.namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			if ctx.Err() == nil {
				n.fail(fmt.Errorf("watching pods: %w", err))
			}
			return
		}
		for event := range w.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && n.ours(pod.Spec.NodeName) {
				n.see(ctx, pod, event.Type == watch.Deleted)
			}
		}
		w.Stop()
	}
}

func (n *Nodes) ours(node string) bool {
	for _, name := range n.names {
		if name == node {
			return true
		}
	}
	return false
}

// see starts what a pod does when it is new, and ends it when it is to be deleted.
func (n *Nodes) see(ctx context.Context, pod *corev1.Pod, deleted bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	end, known := n.pods[pod.UID]
	switch {
	case deleted:
		if known {
			end()
			delete(n.pods, pod.UID)
		}
	case pod.DeletionTimestamp != nil:
		if known {
			end()
		}
		n.tasks.Go(func() { n.forget(ctx, pod) })
	case !known && pod.Status.Phase == corev1.PodPending:
		inner, cancel := context.WithCancel(ctx)
		n.pods[pod.UID] = cancel
		n.tasks.Go(func() {
			defer cancel()
			n.run(inner, pod)
		})
	}
}

// forget tells the API server that nothing runs any more of a pod that is being deleted.
func (n *Nodes) forget(ctx context.Context, pod *corev1.Pod) {
	err := n.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr(int64(0)), Preconditions: &metav1.Preconditions{UID: &pod.UID},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		n.fail(fmt.Errorf("ending pod %s: %w", pod.Name, err))
	}
}

// run is the life of a pod: it runs, does what a launcher does, and has succeeded.
func (n *Nodes) run(ctx context.Context, pod *corev1.Pod) {
	began := metav1.Now()
	err := n.status(ctx, pod, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}})
	if err == nil {
		err = n.launch(ctx, pod)
	}
	if err == nil {
		err = n.status(ctx, pod, corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: "Completed", StartedAt: began, FinishedAt: metav1.Now(),
		}})
	}
	if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
		n.fail(fmt.Errorf("pod %s: %w", pod.Name, err))
	}
}

// status tells the API server how a pod is, as a kubelet does.
func (n *Nodes) status(ctx context.Context, pod *corev1.Pod, phase corev1.PodPhase, state corev1.ContainerState) error {
	running := phase == corev1.PodRunning
	condition := corev1.ConditionFalse
	if running {
		condition = corev1.ConditionTrue
	}
	container := pod.Spec.Containers[0]
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": corev1.PodStatus{
		Phase: phase, StartTime: ptr(metav1.NewTime(time.Now())), PodIP: "192.0.2.1", PodIPs: []corev1.PodIP{{IP: "192.0.2.1"}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
			{Type: corev1.PodReady, Status: condition},
			{Type: corev1.ContainersReady, Status: condition},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container.Name, Image: container.Image, State: state, Ready: running, Started: &running,
		}},
	}})
	if err != nil {
		return err
	}
	_, err = n.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// bare runs pods without any system around them: the floor that everything on this cluster is compared with.
type bare struct {
	pods      kubernetes.Interface
	namespace string
	image     string
	next      int
}

// newBare makes a namespace for the pods.
func newBare(ctx context.Context, kubeContext, image string, now time.Time) (*bare, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(),
		&clientcmd.ConfigOverrides{CurrentContext: kubeContext},
	).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("loading kube context %q: %w", kubeContext, err)
	}
	config.QPS = -1
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for kube context %q: %w", kubeContext, err)
	}
	b := &bare{pods: clients, namespace: fmt.Sprintf("bench-bare-%d", now.Unix()), image: image}
	_, err = clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("creating namespace: %w", err)
	}
	return b, b.waitForServiceAccount(ctx)
}

// waitForServiceAccount waits until the namespace takes pods.
func (b *bare) waitForServiceAccount(ctx context.Context) error {
	w, err := b.pods.CoreV1().ServiceAccounts(b.namespace).Watch(ctx, metav1.SingleObject(metav1.ObjectMeta{Name: "default"}))
	if err != nil {
		return fmt.Errorf("watching service accounts: %w", err)
	}
	defer w.Stop()
	select {
	case <-w.ResultChan():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close removes the namespace of the bare pods, and that of the runs they were compared with.
func (b *bare) close(ctx context.Context, runs string) {
	for _, name := range []string{b.namespace, runs} {
		if err := b.pods.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			fmt.Fprintf(os.Stderr, "bench: namespace %s stays: %v\n", name, err)
		}
	}
}

// run creates n pods of `python3 -c pass`, either all at once or each when a watch shows that the last has succeeded,
// and returns the time from the first creation until the last success was seen.
func (b *bare) run(ctx context.Context, n int, atOnce bool) (time.Duration, error) {
	label := fmt.Sprintf("round-%d", b.next)
	w, err := b.pods.CoreV1().Pods(b.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "bench=" + label})
	if err != nil {
		return 0, fmt.Errorf("watching pods: %w", err)
	}
	defer w.Stop()
	began := time.Now()
	started := 0
	for started < 1 || atOnce && started < n {
		if err := b.create(ctx, label); err != nil {
			return 0, err
		}
		started++
	}
	done := map[string]bool{}
	for event := range w.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || done[pod.Name] {
			continue
		}
		switch pod.Status.Phase {
		case corev1.PodFailed:
			return 0, fmt.Errorf("bare pod %s failed: %s", pod.Name, pod.Status.Message)
		case corev1.PodSucceeded:
			done[pod.Name] = true
		default:
			continue
		}
		if len(done) == n {
			return time.Since(began), b.remove(ctx, label)
		}
		if started < n {
			if err := b.create(ctx, label); err != nil {
				return 0, err
			}
			started++
		}
	}
	return 0, fmt.Errorf("the watch of bare pods ended after %d of %d", len(done), n)
}

func (b *bare) create(ctx context.Context, label string) error {
	b.next++
	grace := int64(0)
	_, err := b.pods.CoreV1().Pods(b.namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bare-%d", b.next), Labels: map[string]string{"bench": label}},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: "main", Image: b.image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command: []string{"python3", "-c", "pass"},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating bare pod: %w", err)
	}
	return nil
}

func (b *bare) remove(ctx context.Context, label string) error {
	grace := int64(0)
	err := b.pods.CoreV1().Pods(b.namespace).DeleteCollection(ctx,
		metav1.DeleteOptions{GracePeriodSeconds: &grace}, metav1.ListOptions{LabelSelector: "bench=" + label})
	if err != nil {
		return fmt.Errorf("deleting bare pods: %w", err)
	}
	return nil
}

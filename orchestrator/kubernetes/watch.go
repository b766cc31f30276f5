package kubernetes

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/proa-ml/proa/orchestrator/driver"
)

// Watch follows all pods of a run with one watch.
func (o *Orchestrator) Watch(ctx context.Context, run string, known []string, events driver.Events) error {
	o.tracker.begin(known, events)
	defer o.tracker.end()
	pods := podFeed(o.client, o.config.Namespace, runSelector(run, componentStep))
	pods.now = o.now
	pods.before = o.tracker.mark
	pods.sync = func(all []corev1.Pod) {
		o.pool.listed(all)
		o.tracker.sync(all)
	}
	pods.set = func(pod *corev1.Pod) {
		o.pool.saw(pod)
		o.tracker.set(pod)
	}
	pods.gone = func(pod *corev1.Pod) {
		o.pool.gone(pod.Name)
		o.tracker.gone(pod)
	}
	pods.trouble = func(err error) { o.logger.Debug("watching pods is interrupted", "run", run, "error", err) }
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return pods.run(both) })
	group.Go(func() error { return o.settle(both) })
	group.Go(func() error { return o.place(both) })
	err := group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return explainError("watching the run's pods", err)
}

// settle ends doubts in time.
func (o *Orchestrator) settle(ctx context.Context) error {
	for {
		next := o.tracker.settle()
		delay := time.Hour
		if !next.IsZero() {
			delay = max(0, next.Sub(o.now()))
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-o.tracker.wake:
			timer.Stop()
		}
	}
}

// podFeed feeds on the pods that a selector selects. Lists are consistent reads: an old list would show pods as lost
// that have just been created.
func podFeed(client kubernetes.Interface, namespace, selector string) *feed[corev1.Pod] {
	pods := client.CoreV1().Pods(namespace)
	return &feed[corev1.Pod]{
		list: func(ctx context.Context, o metav1.ListOptions) ([]corev1.Pod, string, error) {
			o.LabelSelector = selector
			list, err := pods.List(ctx, o)
			if err != nil {
				return nil, "", err
			}
			return list.Items, list.ResourceVersion, nil
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			return pods.Watch(ctx, o)
		},
	}
}

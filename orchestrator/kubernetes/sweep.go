package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Finish removes what a run that has ended leaves behind at once: its Secrets. The Job and its pod, which show how the
// coordinator ended, go after a minute by themselves, and would take the Secrets with them if nobody called Finish.
func (c *Client) Finish(ctx context.Context, run string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, name := range []string{ObjectName(run), pullName(run)} {
		err := c.client.CoreV1().Secrets(c.namespace).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return explainError("deleting the run's secret", err)
		}
	}
	return nil
}

// Sweep removes all that a run has in the cluster, whether it has ended or not, and waits until its pods are gone.
// Pods that run get grace to end. The Job goes first, so that nothing starts a coordinator again.
func (c *Client) Sweep(ctx context.Context, run string, grace time.Duration) error {
	if err := c.deleteJobs(ctx, run); err != nil {
		return err
	}
	if err := c.sweepPods(ctx, run, grace); err != nil {
		return err
	}
	return c.Finish(ctx, run)
}

// deleteJobs deletes the run's Job, whatever its name is. That of a scheduled run isn't labelled with it, and can't be: the run's
// id is made of the Job's, and its coordinator may change nothing but pods.
func (c *Client) deleteJobs(ctx context.Context, run string) error {
	jobs, err := c.client.BatchV1().Jobs(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: LabelManagedBy + "=" + managedBy})
	if err != nil {
		return explainError("looking for the run's job", err)
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if job.Labels[LabelRun] != labelValue(run) && runOfJob(string(job.UID)) != run {
			continue
		}
		if err := c.deleteJob(ctx, job.Name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) deleteJob(ctx context.Context, name string) error {
	err := c.client.BatchV1().Jobs(c.namespace).Delete(ctx, name, metav1.DeleteOptions{
		PropagationPolicy: ptr(metav1.DeletePropagationBackground),
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return explainError("deleting job "+name, err)
	}
	return nil
}

// sweepPods deletes the run's pods by label as they come into sight, until none is left.
func (c *Client) sweepPods(ctx context.Context, run string, grace time.Duration) error {
	ctx, empty := context.WithCancelCause(ctx)
	left := map[string]bool{}
	var failed error
	see := func(pod *corev1.Pod) {
		left[pod.Name] = true
		if pod.DeletionTimestamp != nil && !endsLater(pod, grace) {
			return
		}
		if err := c.deletePod(ctx, pod.Name, grace); err != nil {
			failed = err
			empty(err)
		}
	}
	done := func() {
		if len(left) == 0 {
			empty(errSwept)
		}
	}
	pods := podFeed(c.client, c.namespace, runSelector(run, ""))
	pods.now = c.now
	pods.trouble = func(err error) { c.logger.Debug("sweeping is interrupted", "run", run, "error", err) }
	pods.before = func() { clear(left) }
	pods.sync = func(items []corev1.Pod) {
		for i := range items {
			see(&items[i])
		}
		done()
	}
	pods.set = see
	pods.gone = func(pod *corev1.Pod) {
		delete(left, pod.Name)
		done()
	}
	err := pods.run(ctx)
	switch {
	case errors.Is(context.Cause(ctx), errSwept):
		return nil
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return fmt.Errorf("sweeping run %s: %d of its pods are still there: %w", run, len(left), context.Cause(ctx))
	}
	return explainError("sweeping run "+run, err)
}

var errSwept = errors.New("nothing is left")

// endsLater reports whether a pod that is being deleted was given more time than that.
func endsLater(pod *corev1.Pod, grace time.Duration) bool {
	given := pod.DeletionGracePeriodSeconds
	return given != nil && *given > max(1, seconds(grace))
}

func (c *Client) deletePod(ctx context.Context, name string, grace time.Duration) error {
	err := c.client.CoreV1().Pods(c.namespace).Delete(ctx, name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr(max(1, seconds(grace))),
	})
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		return explainError("deleting pod "+name, err)
	}
	return nil
}

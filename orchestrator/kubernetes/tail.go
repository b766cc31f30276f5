package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/internal/podstatus"
)

// tailAgain is how long to wait before a log is opened again that ended though its container seems to run: the kubelet
// tells of an end later than the log does.
const tailAgain = 250 * time.Millisecond

// podlessPause is how long a Job may be without a pod before it is asked why, again and again.
const podlessPause = 2 * time.Second

// tailTries is how often a log may fail to be read before it is given up, if nothing more will be written to it or the
// pod was replaced.
const tailTries = 20

// follow is one call of Follow.
type follow struct {
	client *Client
	run    string
	scene  *scene
	to     Follower

	// done are the containers that were read to the end, current the one that is being read, of pod.
	done         map[string]bool
	current, pod string
	// failures counts how often reading it failed.
	failures int
	// last is the time stamp of the last line of this pod that was passed on. The container runtime stamps lines, in order.
	last time.Time
	// reason is what was said last. podless is why the Job has no pod, as far as that is known.
	reason, podless string
	// ended says that a coordinator was read to the end and had exited with 0.
	ended bool
}

// loop reads what there is to read, and otherwise waits for the scene to change.
func (f *follow) loop(ctx context.Context) error {
	for {
		pods, job, known := f.scene.look()
		if pod := f.unread(pods); pod != nil {
			if err := f.read(ctx, pod, len(pods) > 1); err != nil {
				return err
			}
			continue
		}
		switch {
		case f.ended:
			return nil
		case known && job == nil && len(pods) == 0:
			return ErrGone
		case known && job != nil:
			if over, failure := jobEnd(job); over {
				return failure
			}
		}
		f.wait(pods, known)
		if err := f.idle(ctx, job, len(pods)); err != nil {
			return err
		}
	}
}

// idle waits for the scene to change. A Job that doesn't get a pod is asked about now and then.
func (f *follow) idle(ctx context.Context, job *batchv1.Job, pods int) error {
	var ask <-chan time.Time
	if job != nil && pods == 0 {
		timer := time.NewTimer(podlessPause)
		defer timer.Stop()
		ask = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.scene.changed:
	case <-ask:
		f.podless = f.client.whyPodless(ctx, job.Name)
	}
	return nil
}

// unread returns the oldest pod whose container has a log that was not read to the end. A coordinator that has been replaced
// while it seems to run has nothing to say any more.
func (f *follow) unread(pods []*corev1.Pod) *corev1.Pod {
	for i, pod := range pods {
		s := containerStatus(pod)
		if s == nil || s.ContainerID == "" {
			continue
		}
		if s.State.Running != nil && slices.ContainsFunc(pods[i+1:], started) {
			f.done[s.ContainerID] = true
		}
		if !f.done[s.ContainerID] {
			return pod
		}
	}
	return nil
}

// read passes on the log of a pod's present container, as far as it can be had.
func (f *follow) read(ctx context.Context, pod *corev1.Pod, replaced bool) error {
	s := *containerStatus(pod)
	if f.pod != pod.Name { // clocks of nodes differ
		f.last = time.Time{}
	}
	if f.pod == pod.Name && f.current != s.ContainerID && !f.done[f.current] {
		if err := f.stream(ctx, pod.Name, true, true); isSinkError(err) {
			return errors.Unwrap(err)
		}
		f.done[f.current] = true
	}
	if f.current != s.ContainerID {
		f.failures = 0
	}
	f.pod, f.current, f.reason = pod.Name, s.ContainerID, ""
	over := s.State.Running == nil
	reading, stop := ctx, func() {}
	if !over {
		reading, stop = f.scene.untilReplaced(ctx, pod)
	}
	err := f.stream(reading, pod.Name, false, over)
	left := reading.Err() != nil
	stop()
	switch {
	case isSinkError(err):
		return errors.Unwrap(err)
	case left:
		return ctx.Err()
	case over && errors.Is(err, errNotKept):
		err = nil
	case err != nil:
		f.failures++
		f.client.logger.Debug("reading the coordinator's log is interrupted", "pod", pod.Name, "error", err)
	}
	if over && err == nil || (over || replaced) && f.failures >= tailTries {
		f.done[s.ContainerID] = true
		f.ended = s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
		return nil
	}
	return f.pause(ctx)
}

// pause waits for a change, or a moment.
func (f *follow) pause(ctx context.Context) error {
	timer := time.NewTimer(tailAgain)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.scene.changed:
	case <-timer.C:
	}
	return nil
}

// sinkError is an error of the receiver, which ends everything.
type sinkError struct{ error }

func (e sinkError) Unwrap() error { return e.error }

func isSinkError(err error) bool {
	var s sinkError
	return errors.As(err, &s)
}

// stream passes on the lines of a container's log that are younger than the last, until the container or the
// connection ends. A last line without an end counts only if the container is over.
func (f *follow) stream(ctx context.Context, pod string, previous, over bool) error {
	options := &corev1.PodLogOptions{Follow: !previous, Previous: previous, Timestamps: true}
	if !f.last.IsZero() {
		options.SinceTime = &metav1.Time{Time: f.last}
	}
	body, err := f.client.client.CoreV1().Pods(f.client.namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("opening the coordinator's log: %w", err)
	}
	defer func() { _ = body.Close() }()
	reader := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the coordinator's log: %w", err)
		}
		if whole := err == nil; whole || over {
			if err := f.line(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		}
	}
}

// errNotKept is what the node says of a log instead of the log, when the container is no more.
var errNotKept = errors.New("the node doesn't have the coordinator's log")

// line passes on one stamped line, unless it was before. One without a stamp isn't the coordinator's.
func (f *follow) line(line []byte) error {
	stamp, text, found := bytes.Cut(line, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if !found || err != nil {
		return fmt.Errorf("%w: %s", errNotKept, podstatus.OneLine(string(line)))
	}
	if !at.After(f.last) {
		return nil
	}
	f.last = at
	if err := f.to.Line(text); err != nil {
		return sinkError{err}
	}
	return nil
}

// wait says what the coordinator is waiting for.
func (f *follow) wait(pods []*corev1.Pod, known bool) {
	reason := ""
	switch {
	case !known:
	case len(pods) == 0:
		reason = "waiting for the coordinator's pod" + f.podless
	default:
		reason = coordinatorReason(pods[len(pods)-1])
	}
	if reason != "" && reason != f.reason && f.to.Waiting != nil {
		f.to.Waiting(reason)
	}
	f.reason = reason
}

func coordinatorReason(pod *corev1.Pod) string {
	s := containerStatus(pod)
	if s != nil && s.LastTerminationState.Terminated != nil && s.State.Waiting != nil {
		return fmt.Sprintf("the coordinator ended with exit code %d and is started again: %s",
			s.LastTerminationState.Terminated.ExitCode, podstatus.OneLine(s.State.Waiting.Message))
	}
	return observe(pod).status.Reason
}

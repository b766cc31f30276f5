package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/orchestrator"
)

// Follower receives what a run's coordinator writes.
type Follower struct {
	// Line receives each line once, in order, without its end. An error ends Follow, which returns it; io.EOF ends it
	// without an error. The line is valid during the call only.
	Line func(line []byte) error
	// Waiting receives, in words, what keeps the coordinator from running, each time it changes; nil means nobody cares.
	Waiting func(reason string)
}

// ErrGone is a run of which the cluster has nothing.
var ErrGone = fmt.Errorf("%w in the cluster: it ended more than a minute ago, or was deleted", orchestrator.ErrGone)

// Follow passes on what the run's coordinator writes to its standard output, from the beginning, across restarts of its
// container and replacements of its pod, until the coordinator has ended for good.
func (c *Client) Follow(ctx context.Context, run string, to Follower) error {
	s := &scene{changed: make(chan struct{}, 1), pods: map[string]*corev1.Pod{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return c.coordinators(run, s).run(both) })
	group.Go(func() error { return c.job(run, s).run(both) })
	followed := errors.New("followed to the end")
	group.Go(func() error {
		f := &follow{client: c, run: run, scene: s, to: to, done: map[string]bool{}}
		if err := f.loop(both); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return followed
	})
	err := group.Wait()
	if errors.Is(err, followed) {
		return nil
	}
	return err
}

// coordinators feeds the scene with the coordinator's pods.
func (c *Client) coordinators(run string, s *scene) *feed[corev1.Pod] {
	pods := podFeed(c.client, c.namespace, runSelector(run, componentCoordinator))
	pods.now = c.now
	pods.trouble = func(err error) { c.logger.Debug("following pods is interrupted", "run", run, "error", err) }
	pods.before = func() {}
	pods.sync = func(items []corev1.Pod) {
		s.update(func() {
			s.podsKnown = true
			clear(s.pods)
			for i := range items {
				s.pods[items[i].Name] = &items[i]
			}
		})
	}
	pods.set = func(pod *corev1.Pod) { s.update(func() { s.pods[pod.Name] = pod }) }
	pods.gone = func(pod *corev1.Pod) { s.update(func() { delete(s.pods, pod.Name) }) }
	return pods
}

// job feeds the scene with the run's Job.
func (c *Client) job(run string, s *scene) *feed[batchv1.Job] {
	set := func(job *batchv1.Job) { s.update(func() { s.jobKnown, s.job = true, job }) }
	jobs := jobFeed(c.client, c.namespace, run)
	jobs.now = c.now
	jobs.trouble = func(err error) { c.logger.Debug("following the job is interrupted", "run", run, "error", err) }
	jobs.before = func() {}
	jobs.sync = func(items []batchv1.Job) {
		if len(items) == 0 {
			set(nil)
			return
		}
		set(&items[0])
	}
	jobs.set, jobs.gone = set, func(*batchv1.Job) { set(nil) }
	return jobs
}

func jobFeed(client kubernetes.Interface, namespace, run string) *feed[batchv1.Job] {
	jobs := client.BatchV1().Jobs(namespace)
	selector := runSelector(run, "")
	return &feed[batchv1.Job]{
		list: func(ctx context.Context, o metav1.ListOptions) ([]batchv1.Job, string, error) {
			o.LabelSelector = selector
			list, err := jobs.List(ctx, o)
			if err != nil {
				return nil, "", err
			}
			return list.Items, list.ResourceVersion, nil
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			return jobs.Watch(ctx, o)
		},
	}
}

// scene is what is presently known of a run's coordinator.
type scene struct {
	// changed is signalled after each change.
	changed chan struct{}

	mu                  sync.Mutex
	pods                map[string]*corev1.Pod
	job                 *batchv1.Job
	podsKnown, jobKnown bool
	// reading is the pod whose log is being read, if any, and stop ends that.
	reading *corev1.Pod
	stop    func()
}

func (s *scene) update(change func()) {
	s.mu.Lock()
	change()
	s.settle()
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// settle stops the reading of a coordinator that another has replaced. The lock is held.
func (s *scene) settle() {
	if s.reading == nil {
		return
	}
	for _, pod := range s.pods {
		if started(pod) && byAge(s.reading, pod) < 0 {
			s.stop()
		}
	}
}

// untilReplaced returns a context that ends when a younger pod than the given one has started. Its end has to be called.
func (s *scene) untilReplaced(ctx context.Context, pod *corev1.Pod) (reading context.Context, end func()) {
	reading, stop := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading, s.stop = pod, stop
	s.settle()
	return reading, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reading = nil
		stop()
	}
}

// started reports whether the container of a pod has begun, whatever became of it.
func started(pod *corev1.Pod) bool {
	s := containerStatus(pod)
	return s != nil && s.ContainerID != ""
}

// look returns the pods, oldest first, and the Job, nil if there is none; known says that both were seen.
func (s *scene) look() (pods []*corev1.Pod, job *batchv1.Job, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range s.pods {
		pods = append(pods, pod)
	}
	slices.SortFunc(pods, byAge)
	return pods, s.job, s.podsKnown && s.jobKnown
}

// byAge orders pods, the oldest first.
func byAge(a, b *corev1.Pod) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

// jobEnd reports whether a Job is over, and why if it failed.
func jobEnd(job *batchv1.Job) (over bool, failure error) {
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return true, nil
		case batchv1.JobFailed:
			return true, fmt.Errorf("the coordinator's job failed: %s: %s", c.Reason, podstatus.OneLine(c.Message))
		}
	}
	return false, nil
}

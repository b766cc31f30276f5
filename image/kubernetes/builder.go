package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
)

// builder is a BuildKit in the cluster, and the connection to it.
type builder struct {
	buildkit.Pushing
	cluster *Cluster
	name    string
	// began is when the Job began, by this machine's clock. putOff is when its deadline was put off last.
	began, putOff time.Time
	// stop ends the goroutine that puts it off.
	stop context.CancelFunc
	work sync.WaitGroup
}

var _ buildkit.Connection = (*builder)(nil)

func (c *Cluster) jobs() batchclient.JobInterface { return c.client.BatchV1().Jobs(c.cfg.Namespace) }

// adopt takes over a builder that was kept, unless it is about to end.
func (b *builder) adopt(ctx context.Context) (found bool, err error) {
	job, err := b.cluster.jobs().Get(ctx, b.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, b.cluster.explain(ctx, "looking at the job "+b.name, err)
	}
	if job.DeletionTimestamp != nil {
		return false, nil
	}
	if finished(job) {
		return false, b.remove(ctx)
	}
	start := job.CreationTimestamp.Time
	if job.Status.StartTime != nil {
		start = job.Status.StartTime.Time
	}
	// The clocks of this machine and of the cluster may differ, but what runs has not met its deadline.
	elapsed := min(max(b.cluster.now().Sub(start), 0), deadline(job))
	b.began = b.cluster.now().Add(-elapsed)
	return true, b.postpone(ctx, b.cluster.lease)
}

func finished(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if c.Status == "True" && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget) {
			return true
		}
	}
	return false
}

func deadline(job *batchv1.Job) time.Duration {
	if job.Spec.ActiveDeadlineSeconds == nil {
		return 0
	}
	return time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second
}

// keep puts the deadline off for as long as the connection is open. A builder that has ended is disconnected from, since a
// connection through the API server may outlive what it leads to.
func (b *builder) keep(ctx context.Context) {
	ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	tick := time.NewTicker(b.cluster.lease / 5)
	b.work.Go(func() {
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if j, err := b.judgeNow(ctx); err == nil && j.ended {
				_ = b.API.Close() // which fails the build, and Lost tells why
				return
			}
			_ = b.putOffInTime(ctx) // what fails now is tried again
		}
	})
}

// putOffInTime puts the deadline off if a good part of the time until then has passed.
func (b *builder) putOffInTime(ctx context.Context) error {
	if b.putOff.IsZero() {
		b.putOff = b.began
	}
	if b.cluster.now().Sub(b.putOff) < b.cluster.lease/5 {
		return nil
	}
	err := b.postpone(ctx, b.cluster.lease)
	if errors.Is(err, driver.ErrEngine) || apierrors.IsNotFound(err) {
		return nil // the first may pass, and the other is found out elsewhere
	}
	return err
}

// postpone sees to it that the builder is there for a time from now. What others have asked for stays.
func (b *builder) postpone(ctx context.Context, d time.Duration) error {
	for {
		job, err := b.cluster.jobs().Get(ctx, b.name, metav1.GetOptions{})
		if err != nil {
			return b.cluster.explain(ctx, "looking at the job "+b.name, err)
		}
		now := b.cluster.now()
		wanted := now.Sub(b.began) + d
		if wanted <= deadline(job) {
			b.putOff = now
			return nil
		}
		change := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"activeDeadlineSeconds":%d}}`, job.ResourceVersion, int64(wanted.Seconds()))
		_, err = b.cluster.jobs().Patch(ctx, b.name, types.MergePatchType, []byte(change), metav1.PatchOptions{FieldManager: managedBy})
		if apierrors.IsConflict(err) {
			continue
		}
		if err == nil {
			b.putOff = now
		}
		return b.cluster.explain(ctx, "putting off the end of the job "+b.name, err)
	}
}

// Lost implements buildkit.Connection.
func (b *builder) Lost(ctx context.Context, err error) error {
	j, lookErr := b.judgeNow(ctx)
	switch {
	case lookErr == nil && j.ended:
		return fmt.Errorf("%w: the image builder %s/%s was lost during the build: %s: %s", driver.ErrEngine, b.cluster.cfg.Namespace, b.name, j.reason, j.hint)
	case lookErr == nil && j.pod == "":
		return fmt.Errorf("%w: the image builder %s/%s was lost during the build: %s: %s", driver.ErrEngine, b.cluster.cfg.Namespace, b.name, j.reason, again)
	}
	return fmt.Errorf("%w: the connection to the image builder %s/%s broke during the build: %s: %w", driver.ErrEngine,
		b.cluster.cfg.Namespace, b.name, again, err)
}

// Close implements buildkit.Connection.
func (b *builder) Close(ctx context.Context) error {
	b.stop()
	b.work.Wait()
	_ = b.API.Close() // of which nothing is expected any more
	return b.end(ctx)
}

// end removes the builder, or leaves it to the next build for as long as that is asked for.
func (b *builder) end(ctx context.Context) error {
	if b.cluster.cfg.KeepAlive == 0 {
		return b.remove(ctx)
	}
	err := b.postpone(ctx, b.cluster.cfg.KeepAlive)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// remove deletes the Job and its pod.
func (b *builder) remove(ctx context.Context) error {
	err := b.cluster.jobs().Delete(ctx, b.name, metav1.DeleteOptions{PropagationPolicy: ptr(metav1.DeletePropagationBackground)})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return b.cluster.explain(ctx, "deleting the job "+b.name, err)
}

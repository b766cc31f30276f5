package kubernetes

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/moby/buildkit/client"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/internal/tunnel"
	"github.com/proa-ml/proa/stack"
)

const (
	// interval is the time between two looks at the cluster.
	interval = 300 * time.Millisecond
	// upLimit is how long a builder may take to come up: a first start pulls an image.
	upLimit = 10 * time.Minute
	// infoLimit is how long a BuildKit that just started may take to answer.
	infoLimit = 5 * time.Second
)

// Connect implements buildkit.Engine: it makes a builder, or finds one that was kept, and connects to it.
func (c *Cluster) Connect(ctx context.Context, p driver.Progress) (buildkit.Connection, error) {
	route, err := c.cfg.Route(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.makeNamespace(ctx); err != nil {
		return nil, err
	}
	b, err := c.make(ctx, route)
	if err != nil {
		return nil, err
	}
	b.Route = route
	if b.API, err = b.await(ctx, p); err != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
		defer cancel()
		if ctx.Err() != nil { // somebody else may wait for it, too
			return nil, errors.Join(err, b.end(ending))
		}
		return nil, errors.Join(err, b.remove(ending))
	}
	b.keep(ctx)
	return b, nil
}

func (c *Cluster) makeNamespace(ctx context.Context) error {
	namespaces := c.client.CoreV1().Namespaces()
	_, err := namespaces.Get(ctx, c.cfg.Namespace, metav1.GetOptions{})
	if err == nil || apierrors.IsForbidden(err) { // who may not look may still use it
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return c.explain(ctx, "looking at namespace "+c.cfg.Namespace, err)
	}
	_, err = namespaces.Create(ctx, BuildNamespace(c.cfg.Namespace), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return c.explain(ctx, "making namespace "+c.cfg.Namespace, err)
}

// make makes the Job of a builder. One that is kept has a name that tells it, so whoever comes second finds it.
func (c *Cluster) make(ctx context.Context, route buildkit.Route) (*builder, error) {
	name, err := c.name(route)
	if err != nil {
		return nil, err
	}
	b := &builder{cluster: c, name: name}
	for {
		b.began = c.now()
		_, err := c.jobs().Create(ctx, c.cfg.buildJob(name, route, c.lease), metav1.CreateOptions{})
		if err == nil {
			return b, nil
		}
		if !apierrors.IsAlreadyExists(err) || c.cfg.KeepAlive == 0 {
			return nil, c.explain(ctx, fmt.Sprintf("making the job %s/%s of an image builder", c.cfg.Namespace, name), err)
		}
		if found, err := b.adopt(ctx); err != nil || found {
			return b, err
		}
		if err := pause.For(ctx, interval); err != nil {
			return nil, err
		}
	}
}

func (c *Cluster) name(route buildkit.Route) (string, error) {
	if c.cfg.KeepAlive > 0 {
		return c.cfg.keptName(route)
	}
	random := make([]byte, 10)
	if _, err := io.ReadFull(c.rand, random); err != nil {
		return "", fmt.Errorf("naming the image builder: %w", err)
	}
	return namePrefix + hex.EncodeToString(random), nil
}

// await waits until BuildKit answers, and gives up what doesn't pass.
func (b *builder) await(ctx context.Context, p driver.Progress) (*client.Client, error) {
	c := b.cluster
	began := c.now()
	var doubt judgement
	since, told := began, ""
	for {
		j, err := b.judgeNow(ctx)
		if err != nil {
			return nil, err
		}
		if j.pod != "" {
			if api, err := b.open(ctx, j.pod); err == nil {
				return api, nil
			}
		}
		if j.reason != told {
			told = j.reason
			p.Detail(j.reason)
		}
		now := c.now()
		if j.hint != doubt.hint {
			since = now
		}
		doubt = j
		if j.ended || j.patience > 0 && now.Sub(since) >= j.patience {
			return nil, stack.Mistake(j.hint, "the image builder %s/%s doesn't come up: %s", c.cfg.Namespace, b.name, j.reason)
		}
		if now.Sub(began) >= upLimit {
			return nil, fmt.Errorf("%w: the image builder %s/%s did not come up in %s: %s", driver.ErrEngine, c.cfg.Namespace, b.name, upLimit, j.reason)
		}
		if err := errors.Join(b.putOffInTime(ctx), pause.For(ctx, interval)); err != nil {
			return nil, err
		}
	}
}

// judgeNow looks and judges. A cluster that is away for a moment is something to wait for.
func (b *builder) judgeNow(ctx context.Context) (judgement, error) {
	s, err := b.look(ctx)
	if errors.Is(err, driver.ErrEngine) {
		return judgement{reason: err.Error(), patience: pullPatience, hint: "check that the cluster runs and that the context is right"}, nil
	}
	if err != nil {
		return judgement{}, err
	}
	return judge(s), nil
}

func (b *builder) look(ctx context.Context) (seen, error) {
	c := b.cluster
	job, err := c.jobs().Get(ctx, b.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return seen{}, nil
	}
	if err != nil {
		return seen{}, c.explain(ctx, "looking at the job "+b.name, err)
	}
	pods, err := c.client.CoreV1().Pods(c.cfg.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + b.name})
	if err != nil {
		return seen{}, c.explain(ctx, "looking at the pods of job "+b.name, err)
	}
	s := seen{job: job, pods: pods.Items}
	if len(s.pods) == 0 {
		s.events = b.events(ctx)
	}
	return s, nil
}

// events returns the events of the Job, oldest first. They are of help only: who may not read them does without.
func (b *builder) events(ctx context.Context) []corev1.Event {
	list, err := b.cluster.client.CoreV1().Events(b.cluster.cfg.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.kind": "Job", "involvedObject.name": b.name}.String(),
	})
	if err != nil {
		return nil
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	return list.Items
}

// open connects to the BuildKit of a pod. That it doesn't answer yet is usual.
func (b *builder) open(ctx context.Context, pod string) (*client.Client, error) {
	c := b.cluster
	target := tunnel.Target{Rest: c.rest, Client: c.streams, Namespace: c.cfg.Namespace, Pod: pod, Port: port}
	api, err := client.New(ctx, "", client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return tunnel.Open(ctx, target)
	}))
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, infoLimit)
	defer cancel()
	if _, err := api.Info(limited); err != nil {
		return nil, errors.Join(err, api.Close())
	}
	return api, nil
}

package kubernetes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

const (
	// callTimeout bounds one call of the API.
	callTimeout = 30 * time.Second
	// removeGrace is what a launcher that has told its outcome gets to end. It is not 0: a pod must stay until its node
	// has confirmed the end, or the scheduler would give away room that is still taken.
	removeGrace = 2 * time.Second
)

// Options are for what differs between a cluster and a test.
type Options struct {
	// Rest is how to reach the API server; nil means as the pod that this runs in.
	Rest *rest.Config
	// Listener serves the completion channel instead of Config.Listen.
	Listener net.Listener
	// Logger receives what is of interest to developers; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means the system's.
	Now func() time.Time
	// Rand makes keys; nil means the system's.
	Rand io.Reader
}

// Orchestrator runs each attempt as a bare pod.
type Orchestrator struct {
	config  Config
	client  kubernetes.Interface
	tracker *tracker
	logger  *slog.Logger
	now     func() time.Time
	stop    func() error

	// pool has the warm pods; adopted says that those of an earlier coordinator were looked for.
	pool     *pool
	adopting sync.Mutex
	adopted  bool
}

var _ driver.Orchestrator = (*Orchestrator)(nil)

// Open returns the orchestrator of one run, for use in its coordinator, and starts serving the completion channel.
func Open(ctx context.Context, c Config, opts *Options) (*Orchestrator, error) {
	if opts == nil {
		opts = &Options{}
	}
	client, err := connect(opts.Rest)
	if err != nil {
		return nil, err
	}
	c.Namespace = namespaceOr(c.Namespace)
	o := &Orchestrator{config: c, client: client, logger: opts.Logger, now: opts.Now, stop: func() error { return nil }}
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	o.tracker, o.pool = newTracker(o.now), newPool(o.now)
	o.label(ctx)
	if c.Coordinator != "" {
		if err := o.listen(ctx, opts.Listener); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// connect makes a client that doesn't slow itself down: the API server says itself when it is asked too much.
func connect(config *rest.Config) (kubernetes.Interface, error) {
	if config == nil {
		var err error
		if config, err = kubeconfig.InCluster(); err != nil {
			return nil, err
		}
	}
	return kubeconfig.Client(config)
}

func (o *Orchestrator) listen(ctx context.Context, listener net.Listener) error {
	certificate, err := tls.X509KeyPair(o.config.Certificate, o.config.PrivateKey)
	if err != nil {
		return fmt.Errorf("reading the run's certificate: %w", err)
	}
	if listener == nil {
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", o.config.Listen); err != nil {
			return fmt.Errorf("opening the completion channel: %w", err)
		}
	}
	c := &channel{run: o.config.Run, key: o.config.Key, tracker: o.tracker, pool: o.pool}
	o.stop = c.serve(listener, certificate, o.logger)
	return nil
}

// Start creates the attempt's pod, or takes a warm one.
func (o *Orchestrator) Start(ctx context.Context, a driver.Attempt) error {
	pod, err := BuildPod(o.config, a)
	if err != nil {
		return err
	}
	c := &claim{Attempt: a, pod: pod, fit: pod.Annotations[annotationFit], since: o.now()}
	if c.fit != "" {
		err = o.startWarm(ctx, c)
	} else {
		done := o.tracker.starting(a.Name)
		err = o.create(ctx, c)
		done(err)
	}
	if err != nil && !errors.Is(err, orchestrator.ErrQueued) {
		o.logger.Debug("pod not created", "attempt", a.Name, "error", err)
		if mayPass(err) {
			o.report(a.Name, podstatus.OneLine(err.Error()))
		}
	}
	return err
}

// Stop deletes the pod, and gives it grace, and the launcher the time to store an outcome.
func (o *Orchestrator) Stop(ctx context.Context, attempt string, grace time.Duration) error {
	if err := o.adopt(ctx); err != nil {
		return err
	}
	pod, queued := o.pool.stop(attempt)
	if queued {
		o.tracker.report(driver.Status{Attempt: attempt, Phase: driver.Ended, ExitCode: -1, Failure: &step.Failure{
			Kind: step.FailureCancelled, Message: "stopped before it was started",
		}})
	}
	return o.remove(ctx, pod, grace+savingTime)
}

// Remove deletes the pod, unless it is to be kept: then it ends by itself, and goes with the run's Job.
func (o *Orchestrator) Remove(ctx context.Context, attempt string, failed bool) error {
	if err := o.adopt(ctx); err != nil {
		return err
	}
	o.tracker.remove(attempt)
	pod := o.pool.remove(attempt)
	if keeps(o.config.KeepPods, failed) {
		return nil
	}
	return o.remove(ctx, pod, removeGrace)
}

// remove deletes a pod, if there is one to delete.
func (o *Orchestrator) remove(ctx context.Context, pod string, grace time.Duration) error {
	if pod == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := o.client.CoreV1().Pods(o.config.Namespace).Delete(ctx, pod, metav1.DeleteOptions{
		GracePeriodSeconds: ptr(seconds(grace)),
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explainError("deleting pod "+pod, err)
}

// Close ends the completion channel. Pods go on.
func (o *Orchestrator) Close() error { return o.stop() }

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

const (
	// placers is how many pods are created, handed over or deleted at a time, besides those that Start and Remove see to.
	placers = 16
	// placePause is how long a placement waits after an error that may pass.
	placePause = time.Second
)

// startWarm gives an attempt a place: a pod that is free, a new one, or one in the queue.
func (o *Orchestrator) startWarm(ctx context.Context, c *claim) error {
	if err := o.adopt(ctx); err != nil {
		return err
	}
	for {
		host, how := o.pool.take(c)
		switch how {
		case wayHeld:
			return nil
		case wayWait:
			o.tracker.expect(c.Name)
			o.report(c.Name, "waiting for a pod: others of its kind are starting, and the first that is free is taken")
			return fmt.Errorf("starting step %q: %w", c.Step, orchestrator.ErrQueued)
		}
		again, err := o.carryOut(ctx, placement{c, host, how})
		if !again {
			return err
		}
	}
}

// carryOut carries a placement out. It reports whether another place has to be found.
func (o *Orchestrator) carryOut(ctx context.Context, p placement) (again bool, err error) {
	done := o.tracker.starting(p.Name)
	if p.how == wayMove {
		err = o.move(ctx, p)
		again = err != nil && !errors.Is(err, orchestrator.ErrUnavailable)
	} else {
		err = o.create(ctx, p.claim)
	}
	done(err)
	o.pool.settled(p, err)
	return again, err
}

func (o *Orchestrator) create(ctx context.Context, c *claim) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := o.client.CoreV1().Pods(o.config.Namespace).Create(ctx, c.pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = nil
	}
	return explainError(fmt.Sprintf("creating the pod of step %q", c.Step), err)
}

// move makes a pod another attempt's. The pod itself says so before its launcher hears of it, so that a coordinator that
// is started again knows.
func (o *Orchestrator) move(ctx context.Context, p placement) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	patch, err := handOver(p.pod, p.host.tenant)
	if err != nil {
		return err
	}
	_, err = o.client.CoreV1().Pods(o.config.Namespace).Patch(ctx, p.host.pod, types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil {
		o.logger.Debug("pod not handed over", "pod", p.host.pod, "attempt", p.Name, "error", err)
		if apierrors.IsForbidden(err) {
			o.pool.forbid()
		}
		return explainError(fmt.Sprintf("handing pod %s over to step %q", p.host.pod, p.Step), err)
	}
	o.tracker.moved(p.host.pod, p.Name)
	return nil
}

// adopt looks, once, for the pods that a coordinator before this one has left.
func (o *Orchestrator) adopt(ctx context.Context) error {
	o.adopting.Lock()
	defer o.adopting.Unlock()
	if o.adopted {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := o.client.CoreV1().Pods(o.config.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: runSelector(o.config.Run, componentStep),
	})
	if err != nil {
		return explainError("looking for the run's pods", err)
	}
	for i := range list.Items {
		o.pool.adopt(&list.Items[i])
	}
	o.adopted = true
	return nil
}

// place carries out what the pool decides when something changes, until ctx ends. Then the pods that are idle go.
func (o *Orchestrator) place(ctx context.Context) error {
	group := new(errgroup.Group)
	group.SetLimit(placers)
	ticker := time.NewTicker(placePause)
	defer ticker.Stop()
	for {
		placed, waiting := o.pool.ready()
		for _, p := range placed {
			group.Go(func() error {
				o.placeQueued(ctx, p)
				return nil
			})
		}
		for _, s := range o.pool.strandings() {
			group.Go(func() error {
				o.rescue(ctx, s)
				return nil
			})
		}
		o.deletePods(ctx, group, o.pool.deletions(false))
		tick := ticker.C
		if !waiting {
			tick = nil
		}
		select {
		case <-ctx.Done():
			_ = group.Wait()
			lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
			defer cancel()
			o.deletePods(lasting, group, o.pool.deletions(true))
			_ = group.Wait()
			return ctx.Err()
		case <-o.pool.wake:
		case <-tick:
		}
	}
}

// placeQueued carries out a placement for which nobody waits: errors are told as the attempt's state.
func (o *Orchestrator) placeQueued(ctx context.Context, p placement) {
	again, err := o.carryOut(ctx, p)
	switch {
	case err == nil:
	case again:
		o.pool.requeue(p.claim, 0)
	case mayPass(err) || ctx.Err() != nil:
		o.report(p.Name, podstatus.OneLine(err.Error()))
		o.pool.requeue(p.claim, placePause)
	default:
		o.tracker.report(driver.Status{Attempt: p.Name, Phase: driver.Ended, ExitCode: -1, Failure: &step.Failure{
			Kind: step.FailureConfig, Message: "it can't be started: " + err.Error(),
		}})
	}
}

// deletePods deletes pods that wait for nothing any more, unless finished pods are to be kept.
func (o *Orchestrator) deletePods(ctx context.Context, group *errgroup.Group, pods []string) {
	if keeps(o.config.KeepPods, false) {
		return
	}
	for _, pod := range pods {
		group.Go(func() error {
			if err := o.remove(ctx, pod, removeGrace); err != nil {
				o.logger.Debug("idle pod not deleted", "pod", pod, "error", err)
			}
			return nil
		})
	}
}

// report tells why an attempt waits.
func (o *Orchestrator) report(attempt, reason string) {
	o.tracker.report(driver.Status{Attempt: attempt, Phase: driver.Pending, Reason: reason, ExitCode: -1})
}

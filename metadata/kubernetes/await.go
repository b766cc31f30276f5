package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
)

// upLimit is how long coming up may take: a first start pulls an image and makes a database.
const upLimit = 15 * time.Minute

// await waits until the server serves, and gives up what doesn't pass.
func (s *Server) await(ctx context.Context, waiting func(string)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	began := s.now()
	var doubt judgement
	since := began
	for {
		j, err := s.judgeNow(ctx)
		if err != nil || j.ready {
			return err
		}
		waiting(j.reason)
		now := s.now()
		if j.hint != doubt.hint {
			since = now
		}
		doubt = j
		if j.patience > 0 && now.Sub(since) >= j.patience {
			return stack.Mistake(j.hint, "the %s doesn't come up: %s", s, j.reason)
		}
		if now.Sub(began) >= upLimit {
			return fmt.Errorf("%w: the %s did not come up in %s: %s", driver.ErrUnavailable, s, upLimit, j.reason)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// judgeNow looks and judges. A cluster that is away for a moment is something to wait for.
func (s *Server) judgeNow(ctx context.Context) (judgement, error) {
	all, err := s.look(ctx)
	if errors.Is(err, driver.ErrUnavailable) {
		return judgement{reason: err.Error(), patience: pullPatience, hint: "check that the cluster runs and that the context is right"}, nil
	}
	if err != nil {
		return judgement{}, err
	}
	return judge(all), nil
}

func (s *Server) look(ctx context.Context) (seen, error) {
	var all seen
	deployment, found, err := s.deployments().find(ctx)
	if err != nil {
		return seen{}, err
	}
	if found {
		all.deployment = deployment
	}
	claim, found, err := s.claims().find(ctx)
	if err != nil {
		return seen{}, err
	}
	if found {
		all.claim = claim
		all.events = s.claimEvents(ctx)
	}
	all.pods, err = s.pods(ctx)
	return all, err
}

// claimEvents returns the events of the claim, oldest first. They are of help only: who may not read them does without.
func (s *Server) claimEvents(ctx context.Context) []corev1.Event {
	list, err := s.client.CoreV1().Events(s.cfg.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.kind": "PersistentVolumeClaim", "involvedObject.name": s.cfg.Name}.String(),
	})
	if err != nil {
		return nil
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	return list.Items
}

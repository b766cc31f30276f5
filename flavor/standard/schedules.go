package standard

import (
	"context"
	"errors"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/orchestrator/kubernetes"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
)

var _ flavor.Scheduler = cluster{}

func (c cluster) Schedule(ctx context.Context, s flavor.Submission, schedule spec.Schedule, stackName string) (bool, error) {
	return c.Client.Schedule(ctx, submission(s), schedule, stackName)
}

func (c cluster) Schedules(ctx context.Context) ([]flavor.Scheduled, error) {
	found, err := c.Client.Schedules(ctx)
	all := make([]flavor.Scheduled, len(found))
	for i, s := range found {
		all[i] = flavor.Scheduled(s)
	}
	return all, err
}

func (c cluster) ChangeSchedule(ctx context.Context, name string, change func(*flavor.Scheduled)) error {
	return known(c.Client.ChangeSchedule(ctx, name, func(s *kubernetes.Schedule) {
		changed := flavor.Scheduled(*s)
		change(&changed)
		*s = kubernetes.Schedule(changed)
	}))
}

func (c cluster) TriggerSchedule(ctx context.Context, name string) (string, error) {
	run, err := c.Client.TriggerSchedule(ctx, name)
	return run, known(err)
}

func (c cluster) DeleteSchedule(ctx context.Context, name string) error {
	return known(c.Client.DeleteSchedule(ctx, name))
}

// known gives the error of a schedule that doesn't exist its hint.
func known(err error) error {
	if errors.Is(err, kubernetes.ErrNoSchedule) {
		return stack.Mistake("`proa schedule list` shows them", "%v", err)
	}
	return err
}

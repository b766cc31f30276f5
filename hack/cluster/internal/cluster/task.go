package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// A task is one thing to do on the way up.
type task struct {
	name  string
	needs []string // names of the tasks that must be done before
	run   func(ctx context.Context) error
}

// runTasks does the tasks, each as soon as those that it needs are done. The first that fails stops the others.
func runTasks(ctx context.Context, tasks []task) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := map[string]chan struct{}{}
	for _, task := range tasks {
		done[task.name] = make(chan struct{})
	}
	for _, task := range tasks {
		for _, need := range task.needs {
			if done[need] == nil {
				return fmt.Errorf("task %s needs %s, which there is not", task.name, need)
			}
		}
	}
	failures := make(chan error, len(tasks))
	var all sync.WaitGroup
	for _, task := range tasks {
		all.Go(func() {
			for _, need := range task.needs {
				select {
				case <-done[need]:
				case <-ctx.Done():
					return
				}
			}
			if err := task.run(ctx); err != nil {
				failures <- err
				cancel()
				return
			}
			close(done[task.name])
		})
	}
	all.Wait()
	close(failures)
	if first := <-failures; first != nil {
		return first
	}
	return errors.Join(context.Cause(ctx))
}

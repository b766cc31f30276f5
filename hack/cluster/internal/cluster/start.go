package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/process"
)

// A starter starts servers, and remembers whether there was one to start.
type starter struct {
	cluster *Cluster
	facts   facts
	version string
	group   string
	started atomic.Bool
}

// start starts a server unless it runs as it should, and waits for it to be ready.
func (s *starter) start(ctx context.Context, server server) error {
	c := s.cluster
	table, spec := c.table(), c.spec(s.facts, server, s.version, s.group)
	if table.Running(spec) {
		return s.await(ctx, server, nil)
	}
	s.started.Store(true)
	return c.progress.Do(server.name, func() error {
		if err := table.Stop(ctx, server.name, server.grace); err != nil {
			return err
		}
		exited, err := table.Start(spec, c.now())
		if err != nil {
			return err
		}
		return s.await(ctx, server, exited)
	})
}

func (s *starter) await(ctx context.Context, server server, exited <-chan struct{}) error {
	if server.ready == nil {
		return nil
	}
	err := s.cluster.await(ctx, s.facts, server.ready, readyLimit, exited)
	if err == nil || ctx.Err() != nil {
		return err
	}
	log := s.cluster.table().Log(server.name)
	return fmt.Errorf("%s is not ready: %w\nthe end of its log, %s:\n%s", server.name, err, log, process.Tail(log, 15))
}

var errExited = errors.New("it has ended")

// await waits until the check passes, for as long as the limit allows and the process runs.
func (c *Cluster) await(ctx context.Context, f facts, ready check, limit time.Duration, exited <-chan struct{}) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ready(limited, f)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errExited
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("after %s: %w", limit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

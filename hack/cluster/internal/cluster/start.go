package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/cgroup"
	"github.com/proa-ml/proa/hack/cluster/internal/process"
)

// A starter starts servers, and watches over those that run while it waits for one to be ready.
type starter struct {
	cluster *Cluster
	facts   facts
	group   string // directory of the servers' control group

	starting func() // called before a server is started, unless nil

	mu      sync.Mutex
	running []string // those that were started, or found running
}

// newStarter makes the control groups and a starter of servers in them.
func (c *Cluster) newStarter(f facts) (*starter, error) {
	tree, err := cgroup.Open(f.group())
	if err != nil {
		return nil, err
	}
	group, err := tree.Create()
	if err != nil {
		return nil, err
	}
	return &starter{cluster: c, facts: f, group: group}, nil
}

// start starts a server unless it runs as it should, and waits for it to be ready.
func (s *starter) start(ctx context.Context, server server) error {
	c := s.cluster
	table, spec := c.table(), c.spec(s.facts, server, s.group)
	if table.Running(spec) {
		s.note(server.name)
		return s.await(ctx, server)
	}
	return c.progress.Do(server.name, func() error {
		if err := table.Stop(ctx, server.name, server.grace); err != nil {
			return err
		}
		if s.starting != nil {
			s.starting()
		}
		if server.before != nil {
			if err := server.before(ctx, s.facts); err != nil {
				return err
			}
		}
		if err := table.Start(spec, c.now()); err != nil {
			return err
		}
		s.note(server.name)
		return s.await(ctx, server)
	})
}

func (s *starter) note(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, name)
}

// await waits for a server to be ready.
func (s *starter) await(ctx context.Context, server server) error {
	if server.ready == nil {
		return nil
	}
	ready := func(ctx context.Context) error { return server.ready(ctx, s.facts) }
	err := s.until(ctx, ready)
	if err == nil || ctx.Err() != nil || errors.Is(err, errEnded) {
		return err
	}
	return fmt.Errorf("%s is not ready: %w%s", server.name, err, s.cluster.logEnd(server.name))
}

// errEnded means that a server has ended that should run.
var errEnded = errors.New("it has ended")

// readyLimit is how long any one thing may take. It is generous, for the machine may be busy with something else.
const readyLimit = 90 * time.Second

// until waits until ready returns nil, for as long as the limit allows and no server ends.
func (s *starter) until(ctx context.Context, ready func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		err := ready(limited)
		if err == nil {
			return nil
		}
		if ended := s.ended(); ended != nil {
			return ended
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("after %s: %w", readyLimit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended returns an error if one of the servers has ended.
func (s *starter) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.running {
		if record, found := s.cluster.table().Find(name); !found || !record.Alive() {
			return fmt.Errorf("%s: %w%s", name, errEnded, s.cluster.logEnd(name))
		}
	}
	return nil
}

// logEnd is the end of a server's log, for an error message.
func (c *Cluster) logEnd(name string) string {
	log := c.table().Log(name)
	return fmt.Sprintf("\nthe end of its log, %s:\n%s", log, process.Tail(log, 15))
}

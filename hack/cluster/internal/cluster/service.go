package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Stop stops one server. What it keeps stays.
func (c *Cluster) Stop(ctx context.Context, name string) error {
	return c.withServer(ctx, name, func(_ facts, s server) error {
		return c.progress.Do(name+" stopped", func() error { return c.table().Stop(ctx, name, s.grace) })
	})
}

// Start starts one server again as it was: same data, same address.
func (c *Cluster) Start(ctx context.Context, name string) error {
	return c.withServer(ctx, name, func(f facts, s server) error {
		run, err := c.newStarter(f)
		if err != nil {
			return err
		}
		return run.start(ctx, s)
	})
}

// withServer does something with a server of a cluster that is up.
func (c *Cluster) withServer(ctx context.Context, name string, do func(facts, server) error) error {
	if !c.state.ours() {
		return ErrDown
	}
	unlock, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	f, found, err := readFacts(c.state)
	if err != nil {
		return err
	}
	if !found || !f.Complete {
		return ErrDown
	}
	servers := c.servers(f)
	at := slices.IndexFunc(servers, func(s server) bool { return s.name == name })
	if at < 0 {
		var names []string
		for _, s := range servers {
			names = append(names, s.name)
		}
		return fmt.Errorf("no server %q; there are: %s", name, strings.Join(names, ", "))
	}
	return do(f, servers[at])
}

package cluster

import (
	"context"
	"fmt"
	"os"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
	"github.com/proa-ml/proa/hack/cluster/internal/process"
)

// bringUp starts what is missing. What was left of a killed cluster is used as it is; a second try is for a server that was about to
// end when it was found running. Only if both fail is it given up for a start from nothing.
func (c *Cluster) bringUp(ctx context.Context, f facts, p parts) (now facts, changed bool, err error) {
	changed, err = c.start(ctx, f, p)
	if err == nil || ctx.Err() != nil {
		return f, changed, err
	}
	c.progress.Say("%v", err)
	c.progress.Say("trying once more")
	if _, err = c.start(ctx, f, p); err == nil || ctx.Err() != nil || !f.Complete {
		return f, true, err
	}
	c.progress.Say("%v", err)
	c.progress.Say("the cluster does not come up over what was left of it: its data are removed and it starts from nothing")
	if f, err = c.startOver(ctx, f); err != nil {
		return facts{}, true, err
	}
	_, err = c.start(ctx, f, p)
	return f, true, err
}

// decide tells on which facts the cluster starts, and clears away what they do not allow to keep.
func (c *Cluster) decide(ctx context.Context) (facts, error) {
	f, found, err := readFacts(c.state)
	if err != nil {
		return facts{}, err
	}
	boot, err := process.Boot()
	if err != nil {
		return facts{}, err
	}
	switch {
	case !found:
		// Nothing was here, or a cluster was half removed.
		if f, err = newFacts(c.state); err != nil {
			return facts{}, err
		}
		if err := c.remove(ctx, f); err != nil {
			return facts{}, err
		}
		if err := c.state.clear(); err != nil {
			return facts{}, err
		}
		return c.startOver(ctx, f)
	case !f.Complete || f.Boot != boot:
		// A first start that did not finish leaves nothing worth keeping; and data that is never synced does not outlive the machine.
		return c.startOver(ctx, f)
	}
	if err := f.addSecrets(); err != nil {
		return facts{}, err
	}
	return f, c.state.make()
}

// startOver removes everything but addresses, keys and secrets.
func (c *Cluster) startOver(ctx context.Context, f facts) (facts, error) {
	if err := c.remove(ctx, f); err != nil {
		return facts{}, err
	}
	for _, name := range fleeting() {
		if err := os.RemoveAll(c.state.path(name)); err != nil {
			return facts{}, fmt.Errorf("removing the cluster's data: %w", err)
		}
	}
	boot, err := process.Boot()
	if err != nil {
		return facts{}, err
	}
	f.Boot, f.Complete = boot, false
	if err := f.chooseSubnet(c.state); err != nil {
		return facts{}, err
	}
	if err := c.state.make(); err != nil {
		return facts{}, err
	}
	return f, writeFacts(c.state, f)
}

// start starts what does not run, or not as it should, and does the chores. Then a
// pod has to run, unless one did since the last start of a server. It tells whether there was anything to do.
func (c *Cluster) start(ctx context.Context, f facts, p parts) (changed bool, err error) {
	if err := c.writeCertificates(f); err != nil {
		return false, fmt.Errorf("making the certificates: %w", err)
	}
	if err := c.writeConfigs(f); err != nil {
		return false, err
	}
	if err := c.join(ctx, f); err != nil {
		return false, err
	}
	if err := c.removeShimSockets(); err != nil {
		return false, err
	}
	run, err := c.newStarter(f)
	if err != nil {
		return false, err
	}
	run.starting = func() { _ = os.Remove(c.state.tried()) } // not there is as good
	tasks := c.chores(f, p)
	for _, server := range c.servers(f) {
		tasks = append(tasks, task{name: server.name, needs: server.needs, run: func(ctx context.Context) error { return run.start(ctx, server) }})
	}
	err = runTasks(ctx, tasks)
	if ended := run.ended(); ended != nil && ctx.Err() == nil {
		err = ended // which is why other things failed
	}
	if err != nil {
		return true, err
	}
	if _, err := os.Stat(c.state.tried()); err == nil {
		return false, nil
	}
	if err := c.progress.Do("a pod that reaches the services", func() error { return run.tryPod(ctx) }); err != nil {
		return true, err
	}
	return true, file.Write(c.state.tried(), nil, 0o600)
}

// join makes the network unless it is there.
func (c *Cluster) join(ctx context.Context, f facts) error {
	network := f.namespace(c.state)
	if network.Exists() {
		return nil
	}
	// Whatever still runs is in a namespace that cannot be reached any more.
	if err := c.remove(ctx, f); err != nil {
		return err
	}
	return c.progress.Do("network", func() error { return network.Create(ctx) })
}

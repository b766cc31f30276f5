package cluster

import (
	"context"

	"github.com/proa-ml/proa/hack/cluster/internal/debian"
	"github.com/proa-ml/proa/hack/cluster/internal/file"
)

// Up brings the cluster up from nothing, from the remains of one that was killed, or not at all if it is up already.
func (c *Cluster) Up(ctx context.Context) error {
	if err := debian.Check(); err != nil {
		return err
	}
	if err := c.state.claim(); err != nil {
		return err
	}
	unlock, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := c.decide(ctx)
	if err != nil {
		return err
	}
	made, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	f.Version, f.Python = made.components.Version, made.pythonIs
	f.MariaDB, f.Volumes = imageTag(made.mariadb), volumesBinary(made.volumes)
	f.BuildKit = imageTag(made.buildkit)
	f.Emulators, f.Azurite = emulatorsBinary(made.emulators), made.azurite
	f.Oracle, f.NoOracle = made.oracle, made.noOracle
	if err := writeFacts(c.state, f); err != nil {
		return err
	}
	f, changed, err := c.bringUp(ctx, f, made)
	if err != nil {
		return err
	}
	f.Complete = true
	if err := writeFacts(c.state, f); err != nil {
		return err
	}
	if err := c.writeEnv(f); err != nil {
		return err
	}
	if !changed {
		c.progress.Say("the cluster was up already")
	}
	return nil
}

// take locks the state directory.
func (c *Cluster) take(ctx context.Context) (unlock func(), err error) {
	return file.Lock(ctx, c.state.lock(), func() {
		c.progress.Say("another command works on this cluster; waiting for it")
	})
}

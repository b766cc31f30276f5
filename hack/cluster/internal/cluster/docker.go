package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// clearDockerPID removes the file that a killed Docker Engine leaves, whose number may be another process's now: then the next one
// refuses to start. That no other one runs, the record of the server says.
func (c *Cluster) clearDockerPID(context.Context, facts) error {
	if err := os.Remove(c.state.data("docker.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the Docker Engine's pid file: %w", err)
	}
	return nil
}

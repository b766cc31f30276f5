package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/hack/cluster/internal/cgroup"
	"github.com/proa-ml/proa/hack/cluster/internal/mount"
)

// Down takes the cluster away: processes, mounts, network, control groups and the state directory. What was built stays in the cache.
func (c *Cluster) Down(ctx context.Context) error {
	if !c.state.ours() {
		c.progress.Say("there is no cluster in %s", c.state)
		return nil
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
	if !found {
		f = facts{ID: identify(c.state)}
	}
	if err := c.progress.Do("everything that ran has ended", func() error { return c.remove(ctx, f) }); err != nil {
		return err
	}
	if err := restoreKernelSettings(f.Kernel); err != nil {
		return err
	}
	if err := os.RemoveAll(string(c.state)); err != nil {
		return fmt.Errorf("removing the state directory: %w", err)
	}
	return nil
}

// remove ends every process of the cluster and takes away what they leave outside of the state directory. It does not matter what
// state they are in.
func (c *Cluster) remove(ctx context.Context, f facts) error {
	tree, err := cgroup.Open(f.group())
	if err != nil {
		return err
	}
	if err := tree.Kill(ctx); err != nil {
		return err
	}
	if err := c.removeShimSockets(); err != nil {
		return err
	}
	if err := f.namespace(c.state).Remove(ctx); err != nil {
		return err
	}
	if err := mount.RemoveBelow(string(c.state)); err != nil {
		return err
	}
	if err := tree.Remove(ctx); err != nil {
		return err
	}
	if err := c.removeLogLinks(); err != nil {
		return err
	}
	return removeMatches(filepath.Join("/var/lib/cni/results", f.group()+"-*"))
}

// removeShimSockets removes the sockets of the containers' shims: their directory is fixed in containerd, and shared.
func (c *Cluster) removeShimSockets() error {
	paths, err := filepath.Glob(c.state.data("containerd-run/io.containerd.runtime.v2.task/*/*/address"))
	if err != nil {
		return fmt.Errorf("looking for shims: %w", err)
	}
	for _, path := range paths {
		address, err := os.ReadFile(path)
		if err != nil {
			continue // the shim has just removed it
		}
		socket := strings.TrimPrefix(strings.TrimSpace(string(address)), "unix://")
		if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a shim's socket: %w", err)
		}
	}
	return nil
}

// removeLogLinks removes the links to pods' logs in the directory that the kubelet always makes them in.
func (c *Cluster) removeLogLinks() error {
	links, err := filepath.Glob("/var/log/containers/*.log")
	if err != nil {
		return fmt.Errorf("looking for log links: %w", err)
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(target, c.state.data("pod-logs")+"/") {
			continue
		}
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a log link: %w", err)
		}
	}
	return nil
}

func removeMatches(pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", pattern, err)
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing %s: %w", path, err)
		}
	}
	return nil
}

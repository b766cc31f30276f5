package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	if err := c.state.clear(); err != nil {
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
	return removeNetworkResults(f.group())
}

// removeShimSockets removes the sockets that the shims of containers left when they were killed: their directory is fixed in
// containerd, and shared, and nobody else removes them.
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
		if connection, err := net.Dial("unix", socket); err == nil {
			connection.Close() // it lives
			continue
		}
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

// removeNetworkResults removes what the network plugins noted of each sandbox, in a directory that is fixed and shared: a file of the
// cluster's network, and one of the loopback network, which has the same name in every cluster.
func removeNetworkResults(network string) error {
	const dir = "/var/lib/cni/results"
	paths, err := filepath.Glob(filepath.Join(dir, network+"-*-eth0"))
	if err != nil {
		return fmt.Errorf("looking for network results: %w", err)
	}
	for _, path := range paths {
		sandbox := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), network+"-"), "-eth0")
		for _, path := range []string{filepath.Join(dir, "cni-loopback-"+sandbox+"-lo"), path} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing a network result: %w", err)
			}
		}
	}
	return nil
}

// Package network makes the cluster's network: a network namespace of its own, joined to this machine by one pair of interfaces.
//
// Everything of the cluster runs in the namespace. Its ports so collide with nothing, its packet filter rules touch nothing, and all
// of it goes away with the namespace. Host and pods reach the servers at the same address, the node's.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/proa-ml/proa/hack/cluster/internal/mount"
)

// A Namespace is the cluster's network namespace and its link to this machine.
type Namespace struct {
	File   string // where the namespace is mounted
	Link   string // the interface on this machine's side
	Subnet netip.Prefix
}

// Node is the address of the cluster's one node, where all its servers listen. Pods have it as their gateway.
func (n Namespace) Node() netip.Addr { return n.Subnet.Addr().Next() }

// Host is the address of this machine on the link; what listens there (or everywhere) can be reached from pods.
func (n Namespace) Host() netip.Addr { return n.Node().Next() }

// FirstPod is the first address that a pod may have.
func (n Namespace) FirstPod() netip.Addr {
	first := n.Subnet.Addr()
	for range 16 {
		first = first.Next()
	}
	return first
}

// LastPod is the last address that a pod may have.
func (n Namespace) LastPod() netip.Addr {
	last := n.FirstPod()
	for next := last.Next(); n.Subnet.Contains(next.Next()); next = next.Next() {
		last = next
	}
	return last
}

// Exists reports whether the namespace is there and linked.
func (n Namespace) Exists() bool {
	points, err := mount.All()
	if err != nil || len(mount.Below(points, n.File)) == 0 {
		return false
	}
	link, err := net.InterfaceByName(n.Link)
	if err != nil {
		return false
	}
	addresses, err := link.Addrs()
	return err == nil && len(addresses) > 0 && link.Flags&net.FlagRunning != 0
}

// Create makes the namespace and the link, after removing what a killed cluster may have left of them.
func (n Namespace) Create(ctx context.Context) error {
	if err := n.Remove(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(n.File, nil, 0o600); err != nil {
		return fmt.Errorf("making the network namespace: %w", err)
	}
	if err := run(ctx, "unshare", "--net="+n.File, "true"); err != nil {
		return fmt.Errorf("making the network namespace: %w", err)
	}
	node, host, subnet := n.Node().String(), n.Host().String(), n.Subnet.String()
	inside := strings.Join([]string{
		"ip link set lo up",
		fmt.Sprintf("ip link add host0 type veth peer name %s netns %d", n.Link, os.Getpid()),
		"ip address add " + node + "/32 dev host0",
		"ip link set host0 up",
		"ip route add " + host + "/32 dev host0 src " + node,
		"echo 1 > /proc/sys/net/ipv4/ip_forward",
	}, " && ")
	if err := run(ctx, "nsenter", "--net="+n.File, "sh", "-c", inside); err != nil {
		return fmt.Errorf("setting up the network namespace: %w", err)
	}
	outside := strings.Join([]string{
		"ip address add " + host + "/32 dev " + n.Link,
		"ip link set " + n.Link + " up",
		"ip route add " + node + "/32 dev " + n.Link + " src " + host,
		"ip route add " + subnet + " via " + node + " dev " + n.Link + " src " + host,
	}, " && ")
	if err := run(ctx, "sh", "-c", outside); err != nil {
		return fmt.Errorf("linking the network namespace to this machine: %w", err)
	}
	return nil
}

// Remove removes the link and the namespace; the kernel keeps the latter until the last process in it has ended.
func (n Namespace) Remove(ctx context.Context) error {
	if _, err := net.InterfaceByName(n.Link); err == nil {
		if err := run(ctx, "ip", "link", "delete", n.Link); err != nil {
			return fmt.Errorf("removing the link %s: %w", n.Link, err)
		}
	}
	if err := mount.RemoveBelow(n.File); err != nil {
		return err
	}
	if err := os.Remove(n.File); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the network namespace: %w", err)
	}
	return nil
}

func run(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(output)))
	}
	return nil
}

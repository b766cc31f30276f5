package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// clearProxyRules removes the packet filter rules of a kube-proxy that ran before. At its start kube-proxy takes the chain of an
// endpoint for complete if only it exists; but one that was killed may have left it emptied, and then that service is unreachable.
func (c *Cluster) clearProxyRules(ctx context.Context, _ facts) error {
	for _, family := range []string{"ip", "ip6"} {
		table := family + " kube-proxy"
		// A table has to be there to be deleted.
		command := exec.CommandContext(ctx, "nsenter", "--net="+c.state.namespace(), "nft", "add table "+table+"; delete table "+table)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("removing the rules of kube-proxy: %w: %s", err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}

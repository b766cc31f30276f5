package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Clusters on a developer's machine say in this ConfigMap which registry their nodes pull from (KEP-1755).
const (
	hostingNamespace = "kube-public"
	hostingName      = "local-registry-hosting"
	hostingKey       = "localRegistryHosting.v1"
)

// DoubtRegistry says why the cluster's nodes may not pull from the component of that name, a registry at an address of the user's
// machine, and what to do; empty if nothing speaks against it. What may not be read, or can't be for the moment, is no doubt.
func (c *Client) DoubtRegistry(ctx context.Context, name, host string) string {
	if hosting, err := c.client.CoreV1().ConfigMaps(hostingNamespace).Get(ctx, hostingName, metav1.GetOptions{}); err == nil {
		return doubtHosting(name, host, hosting.Data[hostingKey])
	}
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return ""
	}
	return doubtNodes(name, host, nodes.Items)
}

// doubtHosting compares a registry with what a cluster says of its own.
func doubtHosting(name, host, text string) string {
	var hosting struct {
		Host                     string `json:"host"`
		HostFromContainerRuntime string `json:"hostFromContainerRuntime"`
	}
	if err := yaml.Unmarshal([]byte(text), &hosting); err != nil || hosting.Host == "" {
		return ""
	}
	if slices.Contains([]string{hosting.Host, hosting.HostFromContainerRuntime}, host) {
		return ""
	}
	return fmt.Sprintf("the cluster says that its registry is %s (ConfigMap %s/%s), and the stack's is %s. If the nodes can't pull from that: `proa container-registry update %s --uri=%[1]s`",
		hosting.Host, hostingNamespace, hostingName, host, name)
}

// doubtNodes tells of nodes that are containers, whose localhost is not the machine's.
func doubtNodes(name, host string, nodes []corev1.Node) string {
	if machine, _, _ := strings.Cut(host, ":"); machine != "localhost" && !strings.HasPrefix(machine, "127.") {
		return "" // a name such as k3d-registry.localhost leads elsewhere within the cluster's network
	}
	for _, n := range nodes {
		const words = "the cluster's nodes are containers, to which %s is not this machine's unless their container runtime was told so, and the cluster doesn't say that it was (ConfigMap %s/%s). %s"
		switch {
		case strings.HasPrefix(n.Spec.ProviderID, "kind://"):
			return fmt.Sprintf(words, host, hostingNamespace, hostingName, "For kind: https://kind.sigs.k8s.io/docs/user/local-registry/")
		case strings.HasPrefix(n.Spec.ProviderID, "k3s://k3d-"):
			return fmt.Sprintf(words, host, hostingNamespace, hostingName,
				"For k3d: `k3d registry create registry.localhost --port 5001`, make the cluster with `--registry-use k3d-registry.localhost:5001`, then `proa container-registry update "+name+" --uri=k3d-registry.localhost:5001`")
		}
	}
	return ""
}

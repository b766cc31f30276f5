package cluster

import (
	"context"

	"github.com/proa-ml/proa/hack/cluster/internal/volumes"
)

// dnsUser is who the DNS server is to the API server.
const dnsUser = "proa-cluster-dns"

// An object is a Kubernetes object as JSON has it.
type object = map[string]any

// applyObjects makes the objects that a new cluster lacks: the DNS server's rights, the service through which pods reach
// it, and the storage class.
func (c *Cluster) applyObjects(ctx context.Context, f facts) error {
	client, err := c.client(f)
	if err != nil {
		return err
	}
	for _, o := range clusterObjects(f.namespace(c.state).Node().String()) {
		if err := client.Apply(ctx, o.collection, o.name, o.content); err != nil {
			return err
		}
	}
	return nil
}

type placed struct {
	collection, name string
	content          any
}

func clusterObjects(node string) []placed {
	const (
		rbac   = "/apis/rbac.authorization.k8s.io/v1"
		system = "kube-system"
	)
	return []placed{
		{"/apis/storage.k8s.io/v1/storageclasses", volumes.Class, volumes.StorageClass()},
		{rbac + "/clusterroles", dnsUser, object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": dnsUser},
			"rules": []object{
				{"apiGroups": []string{""}, "resources": []string{"services"}, "verbs": []string{"list", "watch"}},
				{"apiGroups": []string{"discovery.k8s.io"}, "resources": []string{"endpointslices"}, "verbs": []string{"list", "watch"}},
			},
		}},
		{rbac + "/clusterrolebindings", dnsUser, object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": dnsUser},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": dnsUser},
			"subjects": []object{{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": dnsUser}},
		}},
		{"/api/v1/namespaces/" + system + "/services", "kube-dns", object{
			"apiVersion": "v1", "kind": "Service", "metadata": object{"name": "kube-dns", "namespace": system},
			"spec": object{"clusterIP": dnsService, "ports": []object{
				{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": dnsPort},
				{"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": dnsPort},
			}},
		}},
		{"/apis/discovery.k8s.io/v1/namespaces/" + system + "/endpointslices", "kube-dns-node", object{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata":  object{"name": "kube-dns-node", "namespace": system, "labels": object{"kubernetes.io/service-name": "kube-dns"}},
			"endpoints": []object{{"addresses": []string{node}, "conditions": object{"ready": true}}},
			"ports": []object{
				{"name": "dns", "port": dnsPort, "protocol": "UDP"},
				{"name": "dns-tcp", "port": dnsPort, "protocol": "TCP"},
			},
		}},
	}
}

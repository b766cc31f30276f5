package kubernetes

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/proa-ml/proa/step"
)

// Server is what pods reach by the network: a host, or pods.
type Server struct {
	// What names it for people.
	What string
	Host string
	Port int
	// Pods are the labels of the pods that it is, in Namespace, instead of a host.
	Pods      map[string]string
	Namespace string
}

// Network is what the pods of runs reach besides each other. A server without a port is none.
type Network struct{ Artifacts, Metadata Server }

const dnsPort = 53

const policyHead = `# What the pods of runs reach, and who reaches them: nothing else. Nodes pull the images, and are no business of these policies.
# A server that is known by its name is reached at its port wherever it is, since policies know no names. Add what the code of
# your steps reaches to "proa-step".
`

// NetworkPolicies returns, as YAML, the policies that let through what runs need, and no more.
func (c *Client) NetworkPolicies(ctx context.Context, n Network) (string, error) {
	api, err := c.apiServers(ctx)
	if err != nil {
		return "", err
	}
	channel := []networkingv1.NetworkPolicyPort{tcp(step.ChannelPort)}
	objects := []any{
		buildPolicy(c.namespace, componentLabels(componentStep), nil,
			append(egress(Server{Port: dnsPort}, n.Artifacts),
				networkingv1.NetworkPolicyEgressRule{Ports: channel, To: []networkingv1.NetworkPolicyPeer{pods(componentLabels(componentCoordinator))}})),
		buildPolicy(c.namespace, componentLabels(componentCoordinator),
			[]networkingv1.NetworkPolicyIngressRule{{Ports: channel, From: []networkingv1.NetworkPolicyPeer{pods(componentLabels(componentStep))}}},
			egress(append([]Server{{Port: dnsPort}, n.Artifacts, n.Metadata}, api...)...)),
	}
	if n.Metadata.Pods != nil {
		from := pods(componentLabels(componentCoordinator))
		if n.Metadata.Namespace != c.namespace {
			from.NamespaceSelector = inNamespace(c.namespace)
		}
		objects = append(objects, buildPolicy(n.Metadata.Namespace, n.Metadata.Pods, []networkingv1.NetworkPolicyIngressRule{{
			Ports: []networkingv1.NetworkPolicyPort{tcp(n.Metadata.Port)}, From: []networkingv1.NetworkPolicyPeer{from},
		}}, nil))
	}
	head := policyHead
	for _, s := range append([]Server{n.Artifacts, n.Metadata}, api...) {
		if s.Port != 0 {
			head += "# - " + s.String() + "\n"
		}
	}
	return Manifest(head, objects...), nil
}

// apiServers are the addresses of the API server as pods reach it: its service's, and those behind it. Who may not look
// gets its usual ports.
func (c *Client) apiServers(ctx context.Context) ([]Server, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	const what = "API server"
	service, err := c.client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return []Server{{What: what, Port: 443}, {What: what, Port: 6443}}, c.unlessForbidden(err)
	}
	var all []Server
	for _, port := range service.Spec.Ports {
		all = append(all, Server{What: what, Host: service.Spec.ClusterIP, Port: int(port.Port)})
	}
	found, err := c.client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
	if err != nil {
		return append(all, Server{What: what, Port: 6443}), c.unlessForbidden(err)
	}
	for _, slice := range found.Items {
		for _, endpoint := range slice.Endpoints {
			for _, port := range slice.Ports {
				all = append(all, Server{What: what, Host: endpoint.Addresses[0], Port: int(*port.Port)})
			}
		}
	}
	return all, nil
}

// unlessForbidden is an error of looking at what not everybody may see.
func (c *Client) unlessForbidden(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return c.unreached(err)
}

// egress returns a rule for each server, in which DNS is the one without a name.
func egress(servers ...Server) []networkingv1.NetworkPolicyEgressRule {
	var rules []networkingv1.NetworkPolicyEgressRule
	for _, s := range servers {
		if s.Port == 0 {
			continue
		}
		rule := networkingv1.NetworkPolicyEgressRule{Ports: []networkingv1.NetworkPolicyPort{tcp(s.Port)}, To: s.peers()}
		if s.Port == dnsPort {
			udp := tcp(dnsPort)
			udp.Protocol = ptr(corev1.ProtocolUDP)
			rule.Ports = append(rule.Ports, udp)
		}
		rules = append(rules, rule)
	}
	return rules
}

func (s Server) peers() []networkingv1.NetworkPolicyPeer {
	if s.Pods != nil {
		return []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: s.Pods}, NamespaceSelector: inNamespace(s.Namespace)}}
	}
	address, err := netip.ParseAddr(s.Host)
	if err != nil {
		return nil // anywhere
	}
	return []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: netip.PrefixFrom(address, address.BitLen()).String()}}}
}

// String is the server for people.
func (s Server) String() string {
	if s.Pods != nil {
		return fmt.Sprintf("%s: pods of namespace %s, port %d", s.What, s.Namespace, s.Port)
	}
	if s.Host == "" {
		return fmt.Sprintf("%s: port %d", s.What, s.Port)
	}
	return s.What + ": " + net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}

func buildPolicy(namespace string, selected map[string]string, in []networkingv1.NetworkPolicyIngressRule, out []networkingv1.NetworkPolicyEgressRule) *networkingv1.NetworkPolicy {
	name := "proa-database"
	if component := selected[LabelComponent]; slices.Contains([]string{componentStep, componentCoordinator}, component) {
		name = "proa-" + component
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: named(name, namespace),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: selected}, Ingress: in, Egress: out,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
}

func componentLabels(component string) map[string]string {
	return map[string]string{LabelManagedBy: managedBy, LabelComponent: component}
}

func pods(labels map[string]string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: labels}}
}

func inNamespace(namespace string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}
}

func tcp(port int) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: ptr(corev1.ProtocolTCP), Port: ptr(intstr.FromInt(port))}
}

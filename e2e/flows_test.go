package e2e

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// flow is a connection of a pod with somebody.
type flow struct {
	pod  string
	in   bool
	peer netip.AddrPort
	// port is the one that is served: the pod's own for what comes in.
	port uint16
}

// flows runs a command, and looks at the connections of the script's pods meanwhile. Each has to be allowed by the
// namespace's NetworkPolicies, and each of their rules but DNS has to be used. The throw-away cluster's network enforces no
// policies, so their meaning is worked out here.
func flows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: flows command [argument ...]")
	}
	if os.Getenv("PROA_CLUSTER_DIR") == "" {
		ts.Logf("connections are looked at on the throw-away cluster only, whose nodes are this machine")
		ts.Check(ts.Exec(args[0], args[1:]...))
		return
	}
	_, client := clusterOf(ts)
	s := &sight{namespace: ts.Getenv("ID"), pods: map[string]corev1.Pod{}, flows: map[flow]bool{}, services: map[string]labels.Set{}}
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { s.follow(ctx, client) })
	looking.Go(func() { s.look(ctx) })
	err := ts.Exec(args[0], args[1:]...)
	cancel()
	looking.Wait()
	ts.Check(err)
	services, err := client.CoreV1().Services(s.namespace).List(context.Background(), metav1.ListOptions{})
	ts.Check(err)
	for _, service := range services.Items {
		s.services[service.Spec.ClusterIP] = service.Spec.Selector
	}
	policies, err := client.NetworkingV1().NetworkPolicies(s.namespace).List(context.Background(), metav1.ListOptions{})
	ts.Check(err)
	used := map[string]bool{}
	for f := range s.flows {
		pod := s.pods[f.pod]
		rule := s.allowedBy(policies.Items, f)
		if rule == "" {
			ts.Fatalf("no policy lets through: pod %s, in %v, %s, port %d", pod.Name, f.in, f.peer, f.port)
		}
		used[rule] = true
	}
	ts.Logf("%d connections", len(s.flows))
	for _, rule := range rules(policies.Items) {
		if !used[rule] {
			ts.Fatalf("nothing used the rule %s; used: %v", rule, used)
		}
	}
}

// sight is what is seen of a namespace's pods, by their UIDs.
type sight struct {
	namespace string
	mu        sync.Mutex
	pods      map[string]corev1.Pod
	flows     map[flow]bool
	// services are the labels of the pods behind each service's address, to which the network leads before policies count.
	services map[string]labels.Set
}

func (s *sight) follow(ctx context.Context, client kubernetes.Interface) {
	for ctx.Err() == nil {
		w, err := client.CoreV1().Pods(s.namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return
		}
		for event := range w.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				s.mu.Lock()
				s.pods[string(pod.UID)] = *pod
				s.mu.Unlock()
			}
		}
	}
}

var podUID = regexp.MustCompile(`pod([0-9a-f]{8}[-_][-_0-9a-f]{27})`)

// look reads the tables of connections of the pods' processes, again and again.
func (s *sight) look(ctx context.Context) {
	known := map[string]string{}
	for ctx.Err() == nil {
		folders, _ := filepath.Glob("/proc/[0-9]*")
		seen := map[string]bool{}
		for _, folder := range folders {
			uid, ok := known[folder]
			if !ok {
				cgroup, _ := os.ReadFile(filepath.Join(folder, "cgroup"))
				if found := podUID.FindSubmatch(cgroup); found != nil {
					uid = strings.ReplaceAll(string(found[1]), "_", "-")
				}
				known[folder] = uid
			}
			if uid != "" && !seen[uid] && s.has(uid) && elsewhere(folder) {
				seen[uid] = true
				s.read(uid, filepath.Join(folder, "net", "tcp"))
				s.read(uid, filepath.Join(folder, "net", "tcp6"))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// elsewhere says that a process has another network than this one: what starts a container is for a moment in its group, but
// not in its network.
func elsewhere(folder string) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	its, itsErr := os.Readlink(filepath.Join(folder, "ns", "net"))
	return err == nil && itsErr == nil && own != its
}

func (s *sight) has(uid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.pods[uid]
	return ok
}

// ports are those that a pod says it serves: a connection may outlast who listened.
func (s *sight) ports(uid string) map[uint16]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	served := map[uint16]bool{}
	for _, c := range s.pods[uid].Spec.Containers {
		for _, port := range c.Ports {
			served[uint16(port.ContainerPort)] = true
		}
	}
	return served
}

// read takes down the connections of a pod.
func (s *sight) read(uid, table string) {
	file, err := os.Open(table)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	const listening = "0A"
	served := s.ports(uid)
	var all [][2]netip.AddrPort
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[0] == "sl" {
			continue
		}
		own, peer := address(fields[1]), address(fields[2])
		if fields[3] == listening {
			served[own.Port()] = true
		} else if !peer.Addr().IsLoopback() {
			all = append(all, [2]netip.AddrPort{own, peer})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ends := range all {
		f := flow{pod: uid, in: served[ends[0].Port()], peer: ends[1], port: ends[1].Port()}
		if f.in {
			f.port, f.peer = ends[0].Port(), netip.AddrPortFrom(ends[1].Addr(), 0)
		}
		s.flows[f] = true
	}
}

// address reads an address as the kernel's tables have it: words in the machine's order, little-endian here.
func address(text string) netip.AddrPort {
	host, port, _ := strings.Cut(text, ":")
	raw, _ := hex.DecodeString(host)
	for i := 0; i+4 <= len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, _ := netip.AddrFromSlice(raw)
	number, _ := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number))
}

// allowedBy names a rule that lets a connection through; empty if there is none.
func (s *sight) allowedBy(policies []networkingv1.NetworkPolicy, f flow) string {
	pod := s.pods[f.pod]
	for _, p := range policies {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if f.in {
			for i, rule := range p.Spec.Ingress {
				if hasPort(rule.Ports, f.port) && s.hasPeer(rule.From, f.peer.Addr()) {
					return ruleName(p.Name, true, i)
				}
			}
			continue
		}
		for i, rule := range p.Spec.Egress {
			if hasPort(rule.Ports, f.port) && s.hasPeer(rule.To, f.peer.Addr()) {
				return ruleName(p.Name, false, i)
			}
		}
	}
	return ""
}

func hasPort(ports []networkingv1.NetworkPolicyPort, port uint16) bool {
	for _, p := range ports {
		if p.Port.IntVal == int32(port) && *p.Protocol == corev1.ProtocolTCP {
			return true
		}
	}
	return len(ports) == 0
}

func (s *sight) hasPeer(peers []networkingv1.NetworkPolicyPeer, address netip.Addr) bool {
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(address) {
				return true
			}
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
		for _, pod := range s.pods {
			behind := s.services[address.String()]
			here := pod.Status.PodIP == address.String() || behind != nil && labels.SelectorFromSet(behind).Matches(labels.Set(pod.Labels))
			if err == nil && here && selector.Matches(labels.Set(pod.Labels)) {
				return true
			}
		}
	}
	return len(peers) == 0
}

func ruleName(policy string, in bool, i int) string { return fmt.Sprintf("%s in=%v %d", policy, in, i) }

// rules names all rules that connections are expected of: not DNS, which no address of the throw-away cluster needs, and of
// the API server's addresses only the first, its service's: what is behind it is seen by what enforces policies.
func rules(policies []networkingv1.NetworkPolicy) []string {
	var all []string
	for _, p := range policies {
		for i := range p.Spec.Ingress {
			all = append(all, ruleName(p.Name, true, i))
		}
		for i, rule := range p.Spec.Egress {
			if port := rule.Ports[0].Port.IntVal; port != 53 && port != 6443 {
				all = append(all, ruleName(p.Name, false, i))
			}
		}
	}
	return all
}

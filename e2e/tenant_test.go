package e2e

import (
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// clusterOf reaches the cluster as its administrator, whoever a script is meanwhile.
func clusterOf(ts *testscript.TestScript) (*rest.Config, kubernetes.Interface) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: strings.Split(os.Getenv("KUBECONFIG"), string(os.PathListSeparator))}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: ts.Getenv("PROA_TEST_CONTEXT")}).ClientConfig()
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	return config, client
}

// tenant makes a kubeconfig whose only user is a service account of the script's namespace. What it asks of the cluster
// passes a proxy that takes notes for the command `granted`.
func tenant(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tenant NAME")
	}
	config, client := clusterOf(ts)
	accounts := client.CoreV1().ServiceAccounts(ts.Getenv("ID"))
	_, err := accounts.Create(context.Background(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: args[0]}}, metav1.CreateOptions{})
	ts.Check(err)
	token, err := accounts.CreateToken(context.Background(), args[0], &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	ts.Check(err)
	notes := &notes{ts.Getenv("ID"), sync.Mutex{}, map[string]bool{}}
	proxy := notes.proxy(ts, config)
	kubeconfig := api.NewConfig()
	kubeconfig.Clusters["c"] = &api.Cluster{Server: proxy.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})}
	kubeconfig.AuthInfos["u"] = &api.AuthInfo{Token: token.Status.Token}
	kubeconfig.Contexts[args[0]] = &api.Context{Cluster: "c", AuthInfo: "u"}
	kubeconfig.CurrentContext = args[0]
	ts.Check(clientcmd.WriteToFile(*kubeconfig, ts.MkAbs(args[0]+".kubeconfig")))
	taken.Store(ts.Getenv("ID")+"/"+args[0], notes)
}

// taken has the notes of all scripts' tenants.
var taken sync.Map

// notes are the rights that a tenant's requests took.
type notes struct {
	namespace string
	mu        sync.Mutex
	rights    map[string]bool
}

func (n *notes) proxy(ts *testscript.TestScript, config *rest.Config) *httptest.Server {
	target, err := url.Parse(config.Host)
	ts.Check(err)
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	ts.Check(err)
	forward := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.note(r)
		forward.ServeHTTP(w, r)
	}))
	ts.Defer(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// note takes down which right a request in the tenant's namespace takes.
func (n *notes) note(r *http.Request) {
	verb := map[string]string{
		http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete", http.MethodGet: "get",
	}[r.Method]
	path := strings.TrimSuffix(r.URL.Path, "/")
	if path == "/api/v1/namespaces/"+n.namespace {
		n.add(verb + " namespaces")
		return
	}
	_, path, inside := strings.Cut(path, "/namespaces/"+n.namespace+"/")
	if !inside {
		return // of the whole cluster: nobody's right in a namespace
	}
	parts := strings.Split(path, "/")
	switch {
	case r.URL.Query().Has("watch"):
		verb = "watch"
	case verb == "get" && len(parts) == 1:
		verb = "list"
	}
	if len(parts) > 2 {
		parts[0] += "/" + parts[2]
	}
	n.add(verb + " " + parts[0])
	if parts[0] == "pods/portforward" {
		n.add("create " + parts[0]) // which newer clusters want of a WebSocket, too
	}
	if verb == "patch" && r.Header.Get("Content-Type") == "application/apply-patch+yaml" {
		n.add("create " + parts[0])
	}
}

func (n *notes) add(right string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rights[right] = true
}

// granted compares what tenants were permitted with what they took: they are the same, whatever was refused.
func granted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: granted NAME")
	}
	_, client := clusterOf(ts)
	roles, err := client.RbacV1().Roles(ts.Getenv("ID")).List(context.Background(), metav1.ListOptions{})
	ts.Check(err)
	permitted := map[string]bool{}
	for _, role := range roles.Items {
		if strings.HasPrefix(role.Name, "proa-user-") {
			permit(permitted, role.Rules)
		}
	}
	value, _ := taken.Load(ts.Getenv("ID") + "/" + args[0])
	took := value.(*notes)
	took.mu.Lock()
	defer took.mu.Unlock()
	want, got := slices.Sorted(maps.Keys(permitted)), slices.Sorted(maps.Keys(took.rights))
	if diff := cmp.Diff(want, got); diff != "" {
		ts.Fatalf("what %s was permitted and what it did differ (-permitted +did):\n%s", args[0], diff)
	}
	ts.Logf("%d rights, each permitted and used: %s", len(got), strings.Join(got, ", "))
}

func permit(permitted map[string]bool, rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				permitted[fmt.Sprintf("%s %s", verb, resource)] = true
			}
		}
	}
}

// Package rights takes down, for tests, which rights in a namespace somebody's requests to an API server take.
package rights

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Notes are the rights that a user's requests took, whether they were granted or not.
type Notes struct {
	namespace string
	server    *httptest.Server
	mu        sync.Mutex
	taken     map[string]bool
}

// Take begins to take notes of the requests that pass a proxy before the API server.
func Take(config *rest.Config, namespace string) (*Notes, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("the API server's address: %w", err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	n := &Notes{namespace: namespace, taken: map[string]bool{}}
	forward := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	n.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.note(r)
		forward.ServeHTTP(w, r)
	}))
	return n, nil
}

// Close ends the proxy.
func (n *Notes) Close() {
	n.server.CloseClientConnections()
	n.server.Close()
}

// Kubeconfig is that of a user, whose context has the given name and passes the proxy.
func (n *Notes) Kubeconfig(name, token string) *api.Config {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.server.Certificate().Raw})
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{Server: n.server.URL, CertificateAuthorityData: authority}
	config.AuthInfos[name] = &api.AuthInfo{Token: token}
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return config
}

// Taken lists the rights, as verbs with resources.
func (n *Notes) Taken() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.taken))
}

// Permitted lists the rights that rules grant, in the same way.
func Permitted(rules []rbacv1.PolicyRule) []string {
	all := map[string]bool{}
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				all[verb+" "+resource] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// note takes down which right a request in the namespace takes.
func (n *Notes) note(r *http.Request) {
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

func (n *Notes) add(right string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken[right] = true
}

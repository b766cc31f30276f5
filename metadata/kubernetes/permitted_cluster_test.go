package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/proa-ml/proa/internal/testbed/rights"
)

// testNotPermitted looks at the server with the eyes of a user who may do nothing, and of one who may do all but forward.
func testNotPermitted(t *testing.T, s *Server) {
	nobody := asUser(t, s, "nobody", nil)
	_, err := nobody.Open(limited(t))
	mistake(t, err, "not permitted in namespace", "proa orchestrator permissions --for=database")
	mistake(t, nobody.Up(limited(t), ignore), "not permitted in namespace", "--for=database")
	mistake(t, nobody.Down(limited(t), ignore), "cannot get resource \"deployments\"", "--for=database")
	reader := asUser(t, s, "reader", []rbacv1.PolicyRule{
		{APIGroups: []string{"", "apps"}, Resources: []string{"secrets", "deployments", "pods"}, Verbs: []string{"get", "list"}},
	})
	_, err = reader.Open(limited(t))
	mistake(t, err, "resource \"pods/portforward\"", "--for=database")
}

// asUser returns the server as a user sees it who may do what the rules allow in its namespace.
func asUser(t *testing.T, s *Server, name string, rules []rbacv1.PolicyRule) *Server {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	token, err := rights.User{Namespace: s.cfg.Namespace, Name: name}.Make(limited(t), s.client, s.cfg.Namespace, rules)
	check(err)
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: s.Host(), CertificateAuthorityData: s.rest.CAData}
	config.AuthInfos["u"] = &api.AuthInfo{Token: token}
	config.Contexts[name] = &api.Context{Cluster: "c", AuthInfo: "u"}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%s.kubeconfig", name))
	check(clientcmd.WriteToFile(*config, path))
	check(os.Chmod(path, 0o600))
	cfg := s.cfg
	cfg.Kubeconfig, cfg.Context = path, name
	return serverOf(t, cfg)
}

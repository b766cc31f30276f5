package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
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
	ctx, opts := limited(t), metav1.CreateOptions{}
	meta := metav1.ObjectMeta{Name: name}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	accounts := s.client.CoreV1().ServiceAccounts(s.cfg.Namespace)
	_, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, opts)
	check(err)
	_, err = s.client.RbacV1().Roles(s.cfg.Namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, opts)
	check(err)
	_, err = s.client.RbacV1().RoleBindings(s.cfg.Namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: s.cfg.Namespace}}}, opts)
	check(err)
	token, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{}, opts)
	check(err)
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: s.Host(), CertificateAuthorityData: s.rest.CAData}
	config.AuthInfos["u"] = &api.AuthInfo{Token: token.Status.Token}
	config.Contexts[name] = &api.Context{Cluster: "c", AuthInfo: "u"}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%s.kubeconfig", name))
	check(clientcmd.WriteToFile(*config, path))
	check(os.Chmod(path, 0o600))
	cfg := s.cfg
	cfg.Kubeconfig, cfg.Context = path, name
	return serverOf(t, cfg)
}

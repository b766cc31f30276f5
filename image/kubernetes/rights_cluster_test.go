package kubernetes

import (
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proa-ml/proa/internal/testbed/rights"
)

// tenant returns the engine of a user who may do in the namespace what Rules say, and nothing else, and notes of what that takes.
func (w *world) tenant(name string) (*Cluster, *rights.Notes) {
	w.t.Helper()
	w.check(w.cluster.makeNamespace(w.ctx))
	meta, opts := metav1.ObjectMeta{Name: name}, metav1.CreateOptions{}
	accounts, roles := w.cluster.client.CoreV1().ServiceAccounts(w.cfg.Namespace), w.cluster.client.RbacV1()
	_, err := accounts.Create(w.ctx, &corev1.ServiceAccount{ObjectMeta: meta}, opts)
	w.check(err)
	_, err = roles.Roles(w.cfg.Namespace).Create(w.ctx, &rbacv1.Role{ObjectMeta: meta, Rules: Rules(w.cfg.Namespace)}, opts)
	w.check(err)
	_, err = roles.RoleBindings(w.cfg.Namespace).Create(w.ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: w.cfg.Namespace}},
	}, opts)
	w.check(err)
	token, err := accounts.CreateToken(w.ctx, name, &authenticationv1.TokenRequest{}, opts)
	w.check(err)
	notes, err := rights.Take(w.cluster.rest, w.cfg.Namespace)
	w.check(err)
	w.t.Cleanup(notes.Close)
	cfg := w.cfg
	cfg.Kubeconfig, cfg.Context = filepath.Join(w.t.TempDir(), "kubeconfig"), name
	w.check(clientcmd.WriteToFile(*notes.Kubeconfig(name, token.Status.Token), cfg.Kubeconfig))
	c, err := New(cfg, nil)
	w.check(err)
	return c, notes
}

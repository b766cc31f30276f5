package kubernetes

import (
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proa-ml/proa/internal/testbed/rights"
)

// asAccount has coordinators reach the cluster as a service account of the test's namespace. The notes tell what that took.
func (w *world) asAccount(t *testing.T, name string) *rights.Notes {
	t.Helper()
	notes, err := rights.Take(w.client.rest, w.client.namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(notes.Close)
	kubeconfig := notes.Kubeconfig(name, w.account(t, name).BearerToken)
	if w.coordinator, err = clientcmd.NewDefaultClientConfig(*kubeconfig, nil).ClientConfig(); err != nil {
		t.Fatal(err)
	}
	return notes
}

// account is how to reach the cluster as a service account.
func (w *world) account(t *testing.T, name string) *rest.Config {
	t.Helper()
	token, err := w.api.CoreV1().ServiceAccounts(w.client.namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return w.bearing(token.Status.Token)
}

// bearing is how to reach the cluster with a token, and as nobody else.
func (w *world) bearing(token string) *rest.Config {
	config := rest.AnonymousClientConfig(w.client.rest)
	config.BearerToken = token
	return config
}

// member is a client of somebody who may do in a namespace what the rules say, and nothing else.
func (w *world) member(t *testing.T, namespace, name string, rules []rbacv1.PolicyRule) *Client {
	t.Helper()
	token, err := rights.User{Namespace: w.client.namespace, Name: name}.Make(t.Context(), w.api, namespace, rules)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(ClientConfig{Context: name, Namespace: namespace}, &Options{Rest: w.bearing(token)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A user lacks one right after the other: what is missing is named before anything is built.
func TestClusterCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	ctx := t.Context()
	ada := w.member(t, w.client.namespace, "ada", RunRules())
	eventually(t, "all is permitted", func() bool { return ada.Check(ctx) == nil })
	roles := w.api.RbacV1().Roles(w.client.namespace)
	role, err := roles.Get(ctx, "ada", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, rule := range RunRules() {
		for j := range rule.Verbs {
			role.Rules = RunRules()
			if role.Rules[i].Verbs = slices.Delete(role.Rules[i].Verbs, j, j+1); len(role.Rules[i].Verbs) == 0 {
				role.Rules = slices.Delete(role.Rules, i, i+1)
			}
			if role, err = roles.Update(ctx, role, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			want := `context "ada" may not ` + rule.Verbs[j] + " " + rule.Resources[0] + ` in namespace "` + w.client.namespace +
				"\" (`proa orchestrator permissions` prints what is needed)"
			eventually(t, want, func() bool {
				err := ada.Check(ctx)
				return err != nil && err.Error() == want
			})
		}
	}
}

// eventually waits for what the API server's authorizer learns a moment later than it is told.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

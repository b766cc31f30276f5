package kubernetes

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// asAccount has coordinators reach the cluster as a service account of the test's namespace. The result tells what they have
// asked of it.
func (w *world) asAccount(t *testing.T, name string) (used func() []string) {
	t.Helper()
	config := w.account(t, name)
	var mu sync.Mutex
	var asked []string
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if text := askedBy(r); !slices.Contains(asked, text) {
				asked = append(asked, text)
			}
			return next.RoundTrip(r)
		})
	}
	w.coordinator = config
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(slices.Values(asked))
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// askedBy says which right a request for a namespace's objects takes.
func askedBy(r *http.Request) string {
	_, path, _ := strings.Cut(r.URL.Path, "/namespaces/")
	parts := strings.Split(path, "/")[1:]
	verb := map[string]string{
		http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete", http.MethodGet: "get",
	}[r.Method]
	switch {
	case r.URL.Query().Has("watch"):
		verb = "watch"
	case verb == "get" && len(parts) == 1:
		verb = "list"
	}
	return verb + " " + strings.Join(append(parts[:1:1], parts[min(2, len(parts)):]...), "/")
}

func accessTexts(rules []rbacv1.PolicyRule) []string {
	var texts []string
	for _, a := range accesses(rules) {
		texts = append(texts, a.String())
	}
	slices.Sort(texts)
	return texts
}

// account is how to reach the cluster as a service account, and as nobody else.
func (w *world) account(t *testing.T, name string) *rest.Config {
	t.Helper()
	token, err := w.api.CoreV1().ServiceAccounts(w.client.namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(w.client.rest)
	config.BearerToken = token.Status.Token
	return config
}

// member is a client of somebody who may do in a namespace what the rules say, and nothing else.
func (w *world) member(t *testing.T, namespace, name string, rules []rbacv1.PolicyRule) *Client {
	t.Helper()
	ctx, meta, opts := t.Context(), metav1.ObjectMeta{Name: name}, metav1.CreateOptions{}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.api.CoreV1().ServiceAccounts(w.client.namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, opts)
	check(err)
	_, err = w.api.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, opts)
	check(err)
	_, err = w.api.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: w.client.namespace}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}, opts)
	check(err)
	client, err := NewClient(ClientConfig{Context: name, Namespace: namespace}, &Options{Rest: w.account(t, name)})
	check(err)
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

package kubernetes

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
)

// without returns rules that grant all but one verb on one resource.
func without(rules []rbacv1.PolicyRule, verb, resource string) []rbacv1.PolicyRule {
	var rest []rbacv1.PolicyRule
	for _, rule := range rules {
		for _, r := range rule.Resources {
			one := *rule.DeepCopy()
			one.Resources = []string{r}
			if r == resource {
				one.Verbs = slices.DeleteFunc(one.Verbs, func(v string) bool { return v == verb })
			}
			if len(one.Verbs) > 0 {
				rest = append(rest, one)
			}
		}
	}
	return rest
}

// The rights to look at what the namespace has are a convenience: without one of them, and without them all, what can't be looked
// at is taken to be there, and the run runs.
func TestClusterRunsWithoutALook(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	full := append(RunRules(), LookRules(w.client.namespace)...)
	lacking := map[string][]rbacv1.PolicyRule{"all": RunRules()}
	for _, resource := range []string{"namespaces", "serviceaccounts", "roles", "rolebindings"} {
		lacking[resource] = without(full, "get", resource)
	}
	for name, rules := range lacking {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := w.member(t, w.client.namespace, "without-"+name, rules)
			eventually(t, "what runs need is permitted", func() bool { return client.Check(t.Context()) == nil })
			if err := client.CheckAll(t.Context()); err != nil {
				t.Error(err)
			}
			if err := client.Admits(t.Context(), []driver.Attempt{w.attempt("run", "told-1")}); err != nil {
				t.Error(err)
			}
			policies, err := client.NetworkPolicies(t.Context(), Network{})
			if err != nil || !strings.Contains(policies, "# - API server: port 443") || !strings.Contains(policies, "# - API server: port 6443") {
				t.Errorf("the network policies of who may not look for the API server: %s %v", policies, err)
			}
			run := "run-" + name
			if err := client.Submit(t.Context(), w.submission(run, `{"Lines": 1, "Starts": 1}`)); err != nil {
				t.Fatal(err)
			}
			lines := 0
			if err := client.Follow(t.Context(), run, Follower{Line: func([]byte) error { lines++; return nil }}); err != nil || lines != 2 {
				t.Errorf("followed %d lines to the end: %v", lines, err)
			}
			if err := client.Sweep(t.Context(), run, time.Second); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the namespace lacks, and the user may not make, is told with what an administrator has to apply.
func TestClusterTellsWhatItMayNotMake(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	const rbac = rbacv1.GroupName
	making := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"create", "get"}},
		{APIGroups: []string{rbac}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"create", "get"}},
	}
	// Nobody may grant what is not granted to them.
	making = append(append(making, RunRules()...), buildRole("").Rules...)
	for _, resource := range []string{"serviceaccounts", "roles", "rolebindings"} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			bare := w.bare(t)
			client := w.member(t, bare, "without-"+resource, without(making, "create", resource))
			eventually(t, "what runs need is permitted", func() bool { return client.Check(t.Context()) == nil })
			if err := client.CheckAll(t.Context()); err == nil || !strings.Contains(err.Error(), "may not create "+resource) {
				t.Errorf("the check says %v", err)
			}
			err := client.Submit(t.Context(), w.submission("run-1", `{}`))
			if err == nil || !strings.Contains(err.Error(), "have an administrator apply this") || !strings.Contains(err.Error(), "kind: RoleBinding") {
				t.Errorf("submitting says %v", err)
			}
			if jobs, err := w.api.BatchV1().Jobs(bare).List(t.Context(), metav1.ListOptions{}); err != nil || len(jobs.Items) > 0 {
				t.Errorf("%d jobs are left (%v)", len(jobs.Items), err)
			}
		})
	}
	for name, verbs := range map[string][]string{"seen": {"get"}, "unseen": nil} {
		t.Run("namespaces "+name, func(t *testing.T) {
			t.Parallel()
			client := w.everywhere(t, name, without(append(making, rbacv1.PolicyRule{
				APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: append(verbs, "create"),
			}), "create", "namespaces"))
			eventually(t, "what runs need is permitted", func() bool { return client.Check(t.Context()) == nil })
			if err := client.CheckAll(t.Context()); (err != nil) != (name == "seen") || err != nil && !strings.Contains(err.Error(), "may not create namespaces") {
				t.Errorf("the check says %v", err)
			}
			err := client.Submit(t.Context(), w.submission("run-1", `{}`))
			if err == nil || !strings.Contains(err.Error(), "have an administrator apply this") || !strings.Contains(err.Error(), "kind: Namespace") {
				t.Errorf("submitting says %v", err)
			}
		})
	}
}

// bare is a namespace that has nothing of proa.
func (w *world) bare(t *testing.T) string {
	t.Helper()
	name := "proa-test-" + random(t, 4)
	_, err := w.api.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.deleteNamespace(t, name) })
	return name
}

// everywhere is a client of somebody who has the same rights in all namespaces, and of one that doesn't exist.
func (w *world) everywhere(t *testing.T, name string, rules []rbacv1.PolicyRule) *Client {
	t.Helper()
	client := w.member(t, w.client.namespace, name, nil)
	meta := metav1.ObjectMeta{Name: w.client.namespace + "-" + name}
	roles, bindings := w.api.RbacV1().ClusterRoles(), w.api.RbacV1().ClusterRoleBindings()
	if _, err := roles.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = roles.Delete(context.Background(), meta.Name, metav1.DeleteOptions{}) })
	_, err := bindings.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: w.client.namespace}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bindings.Delete(context.Background(), meta.Name, metav1.DeleteOptions{}) })
	client.namespace = "proa-test-" + random(t, 4) + "-missing"
	return client
}

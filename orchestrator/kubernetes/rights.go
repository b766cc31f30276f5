package kubernetes

import (
	"context"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RunRules are what a user has to be permitted in the namespace of the runs: submit, follow, cancel, sweep.
func RunRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create", "list", "watch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create", "delete"}},
	}
}

// LookRules let a user see, before anything is built, whether the namespace has what runs need. Without them it is taken to
// be there.
func LookRules(namespace string) []rbacv1.PolicyRule {
	get := []string{"get"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{namespaceOr(namespace)}, Verbs: get},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{serviceAccount}, Verbs: get},
		{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"},
			ResourceNames: []string{serviceAccount}, Verbs: get,
		},
	}
}

// ScheduleRules are what schedules take besides [RunRules].
func ScheduleRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, Verbs: []string{"create", "get", "list", "update", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "update"}},
	}
}

// accesses are the single rights of rules that name no objects.
func accesses(rules []rbacv1.PolicyRule) []access {
	var all []access
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				all = append(all, accessOf(verb, rule.APIGroups[0], resource))
			}
		}
	}
	return all
}

// unsure returns those of the needed rights that the cluster doesn't list among the user's. They may be granted all the
// same: not every authorizer can list.
func (c *Client) unsure(ctx context.Context, needed []access) ([]access, error) {
	review, err := c.client.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: c.namespace},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(needed), func(a access) bool {
		return slices.ContainsFunc(review.Status.ResourceRules, a.grantedBy)
	}), nil
}

func (a access) grantedBy(rule authorizationv1.ResourceRule) bool {
	names := func(list []string, name string) bool {
		return slices.Contains(list, name) || slices.Contains(list, "*")
	}
	return len(rule.ResourceNames) == 0 && names(rule.Verbs, a.verb) && names(rule.APIGroups, a.group) && names(rule.Resources, a.path())
}

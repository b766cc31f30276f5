package kubernetes

import rbacv1 "k8s.io/api/rbac/v1"

// Rules are what a user has to be permitted in the namespace of the secrets.
func Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "create", "update", "delete"}},
	}
}

package standard

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/proa-ml/proa/flavor"
	database "github.com/proa-ml/proa/metadata/kubernetes"
	"github.com/proa-ml/proa/orchestrator/kubernetes"
	secrets "github.com/proa-ml/proa/secrets/kubernetes"
	"github.com/proa-ml/proa/stack"
)

// Permissions implements flavor.Remote.
func (c cluster) Permissions(p flavor.Permissions) (string, error) {
	roles, err := userRoles(c.Namespace(), p.For)
	if err != nil {
		return "", err
	}
	subjects, err := subjectsOf(p)
	if err != nil {
		return "", err
	}
	return kubernetes.Permissions(c.Namespace()) + kubernetes.UserRoles(c.Namespace(), roles, subjects), nil
}

// userRoles are the roles of users to the given ends.
func userRoles(namespace string, ends []string) ([]kubernetes.UserRole, error) {
	known := []kubernetes.UserRole{
		{Name: "runs", Rules: append(kubernetes.RunRules(), kubernetes.LookRules(namespace)...)},
		{Name: "schedules", Rules: kubernetes.ScheduleRules()},
		{Name: "secrets", Rules: secrets.Rules()},
		{Name: "database", Rules: database.Rules()},
	}
	var roles []kubernetes.UserRole
	for _, end := range ends {
		i := slices.IndexFunc(known, func(r kubernetes.UserRole) bool { return r.Name == end })
		if i < 0 {
			return nil, stack.Mistake("write --for=runs,schedules,secrets,database or some of these", "nobody knows what is needed for %q", end)
		}
		roles = append(roles, known[i])
	}
	if len(roles) == 0 {
		return nil, stack.Mistake("write --for=runs", "--for is empty")
	}
	return roles, nil
}

func subjectsOf(p flavor.Permissions) ([]rbacv1.Subject, error) {
	var subjects []rbacv1.Subject
	for _, user := range p.Users {
		subjects = append(subjects, kubernetes.Subject(rbacv1.UserKind, user))
	}
	for _, group := range p.Groups {
		subjects = append(subjects, kubernetes.Subject(rbacv1.GroupKind, group))
	}
	for _, account := range p.ServiceAccounts {
		if namespace, name, both := strings.Cut(account, ":"); !both || dnsLabel(namespace) != nil || dnsName(name) != nil {
			return nil, stack.Mistake("write --service-account=NAMESPACE:NAME", "%s", fmt.Sprintf("%q is no service account", account))
		}
		subjects = append(subjects, kubernetes.Subject(rbacv1.ServiceAccountKind, account))
	}
	return subjects, nil
}

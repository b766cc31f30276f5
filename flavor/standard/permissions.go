package standard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/proa-ml/proa/flavor"
	builders "github.com/proa-ml/proa/image/kubernetes"
	database "github.com/proa-ml/proa/metadata/kubernetes"
	"github.com/proa-ml/proa/orchestrator/kubernetes"
	secrets "github.com/proa-ml/proa/secrets/kubernetes"
	"github.com/proa-ml/proa/stack"
)

// imagesEnd is the one end that is served in a namespace of its own.
const imagesEnd = "images"

// Permissions implements flavor.Remote.
func (c cluster) Permissions(p flavor.Permissions) (string, error) {
	ends := slices.DeleteFunc(slices.Clone(p.For), func(end string) bool { return end == imagesEnd })
	roles, err := userRoles(c.Namespace(), ends)
	if err != nil {
		return "", err
	}
	if len(p.For) == 0 {
		return "", stack.Mistake("write --for=runs", "--for is empty")
	}
	subjects, err := subjectsOf(p)
	if err != nil {
		return "", err
	}
	text := kubernetes.Permissions(c.Namespace())
	if len(roles) > 0 {
		text += kubernetes.UserRoles(c.Namespace(), roles, subjects)
	}
	if slices.Contains(p.For, imagesEnd) {
		text += builderRoles(cmp.Or(p.Builds, DefaultBuilds), c.Namespace(), subjects)
	}
	return text, nil
}

// userRoles are the roles of users to the given ends, in the namespace of the runs.
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
			return nil, stack.Mistake("write --for=runs,schedules,secrets,database,images or some of these", "nobody knows what is needed for %q", end)
		}
		roles = append(roles, known[i])
	}
	return roles, nil
}

// builderRoles are what it takes to build images in a namespace, which is another one than that of the runs unless the
// builder says so: BuildKit does not run where pods of steps should.
func builderRoles(namespace, runs string, subjects []rbacv1.Subject) string {
	text := ""
	if namespace != runs {
		text = kubernetes.Manifest("# Where images are built. All Pod Security levels but \"privileged\" refuse BuildKit.\n", builders.BuildNamespace(namespace))
	}
	return text + kubernetes.UserRoles(namespace, []kubernetes.UserRole{{Name: imagesEnd, Rules: builders.Rules(namespace)}}, subjects)
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

package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/orchestrator"
)

// UserRole is what users are permitted in a namespace, to one end.
type UserRole struct {
	// Name says to what end, in a word such as "runs".
	Name  string
	Rules []rbacv1.PolicyRule
}

// UserRoles returns, as YAML, roles for users and the bindings that give them to the subjects.
func UserRoles(namespace string, roles []UserRole, subjects []rbacv1.Subject) string {
	namespace = namespaceOr(namespace)
	var objects []any
	var names []string
	for _, role := range roles {
		name := "proa-user-" + role.Name
		names = append(names, name)
		objects = append(objects, &rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"},
			ObjectMeta: named(name, namespace), Rules: role.Rules,
		})
		for _, subject := range subjects {
			objects = append(objects, &rbacv1.RoleBinding{
				TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"},
				ObjectMeta: named(name+"-"+slugOf(subject), namespace), Subjects: []rbacv1.Subject{subject},
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			})
		}
	}
	head := "# What users are permitted there. No user needs more.\n"
	if len(subjects) == 0 {
		head = "# What users are permitted there, once they are bound to it: add --user=NAME, --group=NAME or --service-account=NAMESPACE:NAME,\n" +
			"# or \"kubectl create rolebinding ada -n " + namespace + " --user=ada --role=" + names[0] + "\".\n"
	}
	return Manifest(head, objects...)
}

func named(name, namespace string) metav1.ObjectMeta {
	meta := shared(namespace)
	meta.Name = name
	return meta
}

// slugOf names a subject in the name of an object; different subjects have different ones.
func slugOf(s rbacv1.Subject) string {
	sum := sha256.Sum256([]byte(s.Kind + "/" + s.Namespace + "/" + s.Name))
	return orchestrator.Slug(s.Name, maxPrefix) + "-" + hex.EncodeToString(sum[:4])
}

// Subject reads who is meant by the value of a flag that says what kind it is.
func Subject(kind, value string) rbacv1.Subject {
	s := rbacv1.Subject{Kind: kind, Name: value, APIGroup: rbacv1.GroupName}
	if kind == rbacv1.ServiceAccountKind {
		s.APIGroup = ""
		s.Namespace, s.Name, _ = strings.Cut(value, ":")
	}
	return s
}

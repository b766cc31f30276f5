package kubernetes

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The objects that a namespace needs once, before its first run.

func buildNamespace(namespace string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{
			LabelManagedBy:                       managedBy,
			"pod-security.kubernetes.io/enforce": "restricted",
		}},
	}
}

func buildServiceAccount(namespace string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: shared(namespace),
	}
}

// buildRole is all that a coordinator may do.
func buildRole(namespace string) *rbacv1.Role {
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"},
		ObjectMeta: shared(namespace),
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create", "list", "watch", "patch", "delete"}},
		},
	}
}

func buildRoleBinding(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"},
		ObjectMeta: shared(namespace),
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: serviceAccount, Namespace: namespace}},
		RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: serviceAccount},
	}
}

func shared(namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: serviceAccount, Namespace: namespace, Labels: map[string]string{LabelManagedBy: managedBy},
	}
}

const permissionsHead = `# What proa needs once in its namespace. It makes this itself where it may; otherwise an administrator applies it with
# "kubectl apply -f -".
`

// Permissions returns, as YAML, what a namespace needs for runs: itself, a service account, and the role that binds it.
func Permissions(namespace string) string {
	namespace = namespaceOr(namespace)
	return Manifest(permissionsHead,
		buildNamespace(namespace), buildServiceAccount(namespace), buildRole(namespace), buildRoleBinding(namespace))
}

// Manifest returns, behind a comment, objects as documents of one YAML file.
func Manifest(head string, objects ...any) string {
	var out strings.Builder
	out.WriteString(head)
	for _, object := range objects {
		data, err := yaml.Marshal(object)
		if err != nil {
			panic("kubernetes: an object of our own can't be encoded: " + err.Error())
		}
		out.WriteString("---\n")
		for line := range strings.Lines(string(data)) {
			if line != "status: {}\n" && !strings.Contains(line, "creationTimestamp: null") && line != "spec: {}\n" {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}

package rights

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// User is a service account as somebody who may do something.
type User struct{ Namespace, Name string }

// Make makes the account, permits it in a namespace what the rules say, and returns a token of it.
func (u User) Make(ctx context.Context, client kubernetes.Interface, namespace string, rules []rbacv1.PolicyRule) (token string, err error) {
	meta, opts := metav1.ObjectMeta{Name: u.Name}, metav1.CreateOptions{}
	accounts := client.CoreV1().ServiceAccounts(u.Namespace)
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, opts); err != nil {
		return "", fmt.Errorf("making service account %s: %w", u.Name, err)
	}
	if _, err := client.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, opts); err != nil {
		return "", fmt.Errorf("making role %s: %w", u.Name, err)
	}
	_, err = client.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: u.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: u.Name, Namespace: u.Namespace}},
	}, opts)
	if err != nil {
		return "", fmt.Errorf("binding role %s: %w", u.Name, err)
	}
	made, err := accounts.CreateToken(ctx, u.Name, &authenticationv1.TokenRequest{}, opts)
	if err != nil {
		return "", fmt.Errorf("making a token of %s: %w", u.Name, err)
	}
	return made.Status.Token, nil
}

package kubernetes

import (
	"context"
	"fmt"
	"reflect"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prepare makes what the namespace lacks. What the user may not even look at is taken to be there: the run will tell.
func (c *Client) prepare(ctx context.Context) error {
	var missing [3]bool
	group, gctx := errgroup.WithContext(ctx)
	for i, find := range []func(context.Context) error{c.findServiceAccount, c.findRole, c.findRoleBinding} {
		group.Go(func() error {
			err := find(gctx)
			missing[i] = apierrors.IsNotFound(err)
			if err == nil || missing[i] || apierrors.IsForbidden(err) {
				return nil
			}
			return explainError("looking at namespace "+c.namespace, err)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if missing == [3]bool{} {
		return nil
	}
	if err := c.makeNamespace(ctx); err != nil {
		return err
	}
	for i, create := range []func(context.Context) error{c.makeServiceAccount, c.makeRole, c.makeRoleBinding} {
		if missing[i] {
			if err := create(ctx); err != nil && !apierrors.IsAlreadyExists(err) {
				return c.notMade(err)
			}
		}
	}
	return nil
}

func (c *Client) makeNamespace(ctx context.Context) error {
	namespaces := c.client.CoreV1().Namespaces()
	_, err := namespaces.Get(ctx, c.namespace, metav1.GetOptions{})
	if err == nil || apierrors.IsForbidden(err) {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return explainError("looking at namespace "+c.namespace, err)
	}
	_, err = namespaces.Create(ctx, buildNamespace(c.namespace), metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return c.notMade(err)
	}
	return nil
}

func (c *Client) findServiceAccount(ctx context.Context) error {
	_, err := c.client.CoreV1().ServiceAccounts(c.namespace).Get(ctx, serviceAccount, metav1.GetOptions{})
	return err
}

// findRole also brings a role of an earlier version up to date, as far as the user may.
func (c *Client) findRole(ctx context.Context) error {
	roles, want := c.client.RbacV1().Roles(c.namespace), buildRole(c.namespace)
	have, err := roles.Get(ctx, serviceAccount, metav1.GetOptions{})
	if err != nil || reflect.DeepEqual(have.Rules, want.Rules) {
		return err
	}
	have.Rules = want.Rules
	_, err = roles.Update(ctx, have, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func (c *Client) findRoleBinding(ctx context.Context) error {
	_, err := c.client.RbacV1().RoleBindings(c.namespace).Get(ctx, serviceAccount, metav1.GetOptions{})
	return err
}

func (c *Client) makeServiceAccount(ctx context.Context) error {
	_, err := c.client.CoreV1().ServiceAccounts(c.namespace).Create(ctx, buildServiceAccount(c.namespace), metav1.CreateOptions{})
	return err
}

func (c *Client) makeRole(ctx context.Context) error {
	_, err := c.client.RbacV1().Roles(c.namespace).Create(ctx, buildRole(c.namespace), metav1.CreateOptions{})
	return err
}

func (c *Client) makeRoleBinding(ctx context.Context) error {
	_, err := c.client.RbacV1().RoleBindings(c.namespace).Create(ctx, buildRoleBinding(c.namespace), metav1.CreateOptions{})
	return err
}

// notMade explains that the user may not make what is missing. That nothing is found where something is made means that there is no
// namespace, of which the user may not even know.
func (c *Client) notMade(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("namespace %q lacks what runs need, and you may not make it: %w\n"+
			"have an administrator apply this (`proa orchestrator permissions` prints it, too):\n%s",
			c.namespace, err, Permissions(c.namespace))
	}
	return explainError("preparing namespace "+c.namespace, err)
}

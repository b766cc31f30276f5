package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/internal/kubeconfig"
)

// access is one thing that the user has to be allowed to do in the namespace.
type access struct{ verb, group, resource, subresource string }

func accessOf(verb, group, path string) access {
	resource, subresource, _ := strings.Cut(path, "/")
	return access{verb, group, resource, subresource}
}

func (a access) String() string { return a.verb + " " + a.path() }

func (a access) path() string {
	if a.subresource != "" {
		return a.resource + "/" + a.subresource
	}
	return a.resource
}

// Check reaches the cluster, and asks it whether the user may do there all that the client does in the course of a run.
func (c *Client) Check(ctx context.Context) error { return c.check(ctx, accesses(RunRules())) }

// CheckAll is Check that also asks for the right to make what the namespace lacks.
func (c *Client) CheckAll(ctx context.Context) error {
	lacking, err := c.lacking(ctx)
	if err != nil {
		return err
	}
	return c.check(ctx, append(accesses(RunRules()), lacking...))
}

func (c *Client) check(ctx context.Context, needed []access) error {
	if err := c.expired(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout/3)
	defer cancel()
	refused := make([]string, len(needed))
	needed, err := c.unsure(ctx, needed)
	group, ctx := errgroup.WithContext(ctx)
	for i, a := range needed {
		group.Go(func() error {
			allowed, err := c.allowed(ctx, a)
			if !allowed {
				refused[i] = a.String()
			}
			return err
		})
	}
	err = errors.Join(err, group.Wait())
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in time: %w", err)
	}
	if err != nil {
		return c.unreached(err)
	}
	if list := joined(refused); list != "" {
		return fmt.Errorf("context %q may not %s in namespace %q (`proa orchestrator permissions` prints what is needed)", c.context, list, c.namespace)
	}
	return nil
}

func joined(refused []string) string {
	var all []string
	for _, r := range refused {
		if r != "" {
			all = append(all, r)
		}
	}
	return strings.Join(all, ", ")
}

func (c *Client) allowed(ctx context.Context, a access) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.namespace, Verb: a.verb, Group: a.group, Resource: a.resource, Subresource: a.subresource,
		},
	}}
	answer, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

// lacking is what a user has to be allowed to do because nobody has done it yet. What can't be looked at is taken to be
// there.
func (c *Client) lacking(ctx context.Context) ([]access, error) {
	if err := c.expired(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout/3)
	defer cancel()
	const rbac = "rbac.authorization.k8s.io"
	var all []access
	for _, part := range []struct {
		find func(context.Context) error
		make access
	}{
		{c.findNamespace, access{verb: "create", resource: "namespaces"}},
		{c.findServiceAccount, access{verb: "create", resource: "serviceaccounts"}},
		{c.lookAtRole, access{verb: "create", group: rbac, resource: "roles"}},
		{c.findRoleBinding, access{verb: "create", group: rbac, resource: "rolebindings"}},
	} {
		switch err := part.find(ctx); {
		case apierrors.IsNotFound(err):
			all = append(all, part.make)
		case err != nil && !apierrors.IsForbidden(err):
			return nil, c.unreached(err)
		}
	}
	return all, nil
}

func (c *Client) findNamespace(ctx context.Context) error {
	_, err := c.client.CoreV1().Namespaces().Get(ctx, c.namespace, metav1.GetOptions{})
	return err
}

// lookAtRole is findRole, but changes nothing.
func (c *Client) lookAtRole(ctx context.Context) error {
	_, err := c.client.RbacV1().Roles(c.namespace).Get(ctx, serviceAccount, metav1.GetOptions{})
	return err
}

func (c *Client) unreached(err error) error {
	return explainError(fmt.Sprintf("reaching the cluster of context %q at %s", c.context, c.Host()), err)
}

// expired says that the client certificate in the kubeconfig has expired: the cluster's own answer would not say so.
func (c *Client) expired() error {
	end, ok := kubeconfig.Expiry(c.rest)
	if !ok || c.now().Before(end) {
		return nil
	}
	return fmt.Errorf("the client certificate that the kubeconfig has for context %q expired on %s: log in again, or get a new kubeconfig",
		c.context, end.UTC().Format(time.DateOnly))
}

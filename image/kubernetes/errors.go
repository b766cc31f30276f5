package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/stack"
)

// explain says of an error of the cluster's API whether it may pass (it then wraps [driver.ErrEngine]) and, if not, what to
// do about it.
func (c *Cluster) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case apierrors.IsUnauthorized(err):
		return stack.Mistake("log in to the cluster again, or choose another context with --kubernetes_context",
			"%s: the cluster of context %q does not accept the credentials: %v", doing, c.cfg.Context, err)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return stack.Mistake("make room in the namespace's quota, or choose another namespace with --kubernetes_namespace", "%s: %v", doing, err)
	case apierrors.IsForbidden(err):
		return stack.Mistake("have an administrator apply what `proa orchestrator permissions --for=images --user=NAME` prints",
			"%s: not permitted in namespace %q of context %q: %v", doing, c.cfg.Namespace, c.cfg.Context, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsNotFound(err):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: the cluster of context %q at %s: %w", doing, driver.ErrEngine, c.cfg.Context, c.rest.Host, err)
}

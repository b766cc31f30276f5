package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
)

// explain says of an error of the cluster's API whether it may pass (it then wraps [driver.ErrUnavailable]) and, if not, what
// to do about it.
func (s *Server) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case apierrors.IsUnauthorized(err):
		return stack.Mistake("log in to the cluster again, or choose another context with --kubernetes_context",
			"%s: the cluster of context %q does not accept the credentials: %v", doing, s.cfg.Context, err)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return stack.Mistake("make room in the namespace's quota, or choose another namespace with --kubernetes_namespace", "%s: %v", doing, err)
	case apierrors.IsForbidden(err):
		return stack.Mistake("have an administrator do it, or permit it: `proa orchestrator permissions --for=database` prints the role",
			"%s: not permitted in namespace %q of context %q: %v", doing, s.cfg.Namespace, s.cfg.Context, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: the cluster of context %q at %s: %w", doing, driver.ErrUnavailable, s.cfg.Context, s.Host(), err)
}

// notUp is the error of a server that was not started, or was stopped.
func (s *Server) notUp() error {
	return stack.Mistake("start it: `proa stack up`", "the %s is not up", s)
}

// foreign is the error of an object that is in the way.
func (s *Server) foreign(kind string) error {
	return stack.Mistake("choose another name with --deployment_name, or use a server that exists with the flavor mysql",
		"there is a %s %q in namespace %q that proa didn't make", kind, s.cfg.Name, s.cfg.Namespace)
}

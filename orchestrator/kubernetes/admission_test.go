package kubernetes

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The rules of a namespace answer as they like; whoever doesn't know them must not be sent to look for permissions.
func TestRefusalsAreNotMissingPermissions(t *testing.T) {
	forbidden := func(text string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New(text))
	}
	status := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message}}
	}
	for name, test := range map[string]struct {
		err     error
		waiting bool
		words   string
	}{
		"quota of cpu":     {forbidden("exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=1500m, limited: requests.cpu=2"), true, "waiting for room"},
		"quota of nothing": {forbidden("exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"), true, "waiting for room"},
		"beyond quota": {forbidden("exceeded quota: q, requested: limits.memory=1Gi,pods=1, used: limits.memory=0,pods=0, " +
			"limited: limits.memory=512Mi,pods=2"), false, "more than the namespace's quota allows at all"},
		"quota that asks":  {forbidden("failed quota: q: must specify limits.memory for: step"), false, "resources=Resources("},
		"limit range":      {forbidden("maximum memory usage per Container is 64Mi, but limit is 128Mi"), false, "LimitRange"},
		"limit range, min": {forbidden("minimum cpu usage per Pod is 1, but request is 500m"), false, "LimitRange"},
		"ratio":            {forbidden("cpu max limit to request ratio per Container is 2, but provided ratio is 4"), false, "LimitRange"},
		"priority class":   {forbidden("no PriorityClass with name urgent was found"), false, "admission control"},
		"policy":           {status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no"), false, "an admission policy refuses it"},
		"policy, 401":      {status(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no"), false, "an admission policy refuses it"},
		"webhook, 429":     {status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, `admission webhook "w" denied the request: no`), false, "an admission webhook refuses it"},
		"webhook away":     {apierrors.NewInternalError(errors.New(`failed calling webhook "w": connection refused`)), true, "an admission webhook of the cluster does not answer"},
		"ending namespace": {forbidden("unable to create new content in namespace n because it is being terminated"), false, "the namespace is being deleted"},
		"service account":  {forbidden(`error looking up service account n/nobody: serviceaccount "nobody" not found`), false, "step_pod_service_account_name"},
	} {
		t.Run(name, func(t *testing.T) {
			err := explainError("creating it", test.err)
			if mayPass(err) != test.waiting || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want waiting %v and %q", err, test.waiting, test.words)
			}
			if strings.Contains(err.Error(), "orchestrator permissions") {
				t.Errorf("%v: no permission is missing", err)
			}
		})
	}
}

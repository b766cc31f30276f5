package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/orchestrator"
)

// explainError says of an error of the cluster's API whether it may pass (it then wraps [orchestrator.ErrUnavailable],
// [orchestrator.ErrNoRoom] or [orchestrator.ErrHeldUp]) and, if not, what to do about it.
func explainError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, err)
	case refusal(err) != "":
		return fmt.Errorf("%s: %s: %w", doing, refusal(err), err)
	case isQuota(err):
		return fmt.Errorf("%s: %w in the namespace's quota: %s", doing, orchestrator.ErrNoRoom, podstatus.OneLine(err.Error()))
	case isWebhookAway(err):
		return fmt.Errorf("%s: %w: an admission webhook of the cluster does not answer: %s", doing, orchestrator.ErrHeldUp, podstatus.OneLine(err.Error()))
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the cluster does not accept the credentials (log in again, or choose another context): %w", doing, err)
	case isCertificate(err):
		return fmt.Errorf("%s: %s: %w", doing, certificateAdvice(err), err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: not permitted (`proa orchestrator permissions` prints what is needed): %w", doing, err)
	case isFinal(err):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, orchestrator.ErrUnavailable, err)
}

// mayPass reports whether what an explained error is about may pass.
func mayPass(err error) bool {
	return errors.Is(err, orchestrator.ErrUnavailable) || errors.Is(err, orchestrator.ErrNoRoom) || errors.Is(err, orchestrator.ErrHeldUp)
}

// isCertificate reports whether the API server's certificate isn't accepted here.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}

func certificateAdvice(err error) string {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "the API server's certificate has expired, or this machine's clock is wrong (the cluster's administrator renews it)"
	}
	return "the API server's certificate isn't the one that the kubeconfig expects (get a new kubeconfig, or check the server's address)"
}

// isFinal reports whether the API server answered, and will answer the same again.
func isFinal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err) ||
		apierrors.IsMethodNotSupported(err) || apierrors.IsNotAcceptable(err) || apierrors.IsRequestEntityTooLargeError(err) ||
		apierrors.IsUnsupportedMediaType(err) || apierrors.IsAlreadyExists(err)
}

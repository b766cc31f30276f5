package oci

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/proa-ml/proa/image/driver"
)

var errRefused = driver.ErrRefused

// invalid says what about a request can't be built; cause may be nil.
func invalid(cause error, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if cause == nil {
		return fmt.Errorf("%w: %s", driver.ErrInvalid, text)
	}
	return fmt.Errorf("%w: %s: %w", driver.ErrInvalid, text, cause)
}

// full says that the disk is, in place of an error that only says what could not be written.
func (b *Builder) full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || err != nil && strings.Contains(err.Error(), noSpace) {
		return fmt.Errorf("no space is left for the image cache in %s: free some, or delete that folder: %w", b.options.CacheDir, err)
	}
	return err
}

// noSpace is how uv's errors end when the disk is full.
const noSpace = "No space left on device"

// explain turns a failed exchange with a registry into words that name it, and say what to do.
func explain(err error, repo name.Repository, doing string) error {
	if err == nil {
		return nil
	}
	host := repo.RegistryStr()
	var terr *transport.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, driver.ErrInvalid), errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrRefused), errors.Is(err, driver.ErrUnavailable), errors.Is(err, driver.ErrIndex):
		return err
	case errors.As(err, &terr):
		return explainStatus(terr, repo, doing)
	case badCertificate(err):
		return fmt.Errorf("%w: registry %s shows a certificate that isn't valid: if it is from an authority of your own, "+
			"give that authority's as the attribute ca of the container registry: %w", driver.ErrUnavailable, host, err)
	case plainHTTP(err):
		return fmt.Errorf("%w: registry %s speaks plain HTTP: set insecure=true on the container registry if that is meant: %w",
			driver.ErrUnavailable, host, err)
	case transient(err):
		return fmt.Errorf("%w: registry %s can't be reached to %s %s: check that it runs and that the address is right: %w",
			driver.ErrUnavailable, host, doing, repo.RepositoryStr(), err)
	}
	return fmt.Errorf("could not %s %s on registry %s: %w", doing, repo.RepositoryStr(), host, err)
}

func explainStatus(terr *transport.Error, repo name.Repository, doing string) error {
	host := repo.RegistryStr()
	switch {
	case terr.StatusCode == http.StatusUnauthorized, terr.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: registry %s does not let us %s %s (%s): log in with `docker login %s`, "+
			"or set username and password on the container registry: %s",
			driver.ErrRefused, host, doing, repo.RepositoryStr(), http.StatusText(terr.StatusCode), host, reason(terr))
	case transient(terr):
		return fmt.Errorf("%w: registry %s answered %d (%s) again and again while we tried to %s %s: try later",
			driver.ErrUnavailable, host, terr.StatusCode, reason(terr), doing, repo.RepositoryStr())
	}
	return fmt.Errorf("could not %s %s on registry %s: it answered %d: %s",
		doing, repo.RepositoryStr(), host, terr.StatusCode, reason(terr))
}

// badCertificate says that we did not trust the server.
func badCertificate(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate)
}

// reason is what the registry said, without the request, whose URL may carry signatures.
func reason(terr *transport.Error) string {
	if len(terr.Errors) > 0 {
		return terr.Errors[0].String()
	}
	if text := http.StatusText(terr.StatusCode); text != "" {
		return text
	}
	return "no reason given"
}

package oci

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/ambient"
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
	case errors.Is(err, ambient.ErrUnavailable):
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	case ambient.Is(err):
		return fmt.Errorf("%w: %w", driver.ErrRefused, err)
	case errors.As(err, &terr):
		return explainStatus(terr, repo, doing)
	case badCertificate(err):
		return explainCertificate(err, repo, doing)
	case plainHTTP(err):
		return fmt.Errorf("%w: could not %s %s: registry %s speaks plain HTTP: set insecure=true on the container registry "+
			"if that is meant: %w", driver.ErrUnavailable, doing, repo.RepositoryStr(), host, err)
	case transient(err):
		return fmt.Errorf("%w: registry %s can't be reached to %s %s: check that it runs and that the address is right, "+
			"then run the same command again: %w", driver.ErrUnavailable, host, doing, repo.RepositoryStr(), err)
	}
	return fmt.Errorf("could not %s %s on registry %s: %w", doing, repo.RepositoryStr(), host, err)
}

func explainStatus(terr *transport.Error, repo name.Repository, doing string) error {
	host := repo.RegistryStr()
	switch {
	case terr.StatusCode == http.StatusUnauthorized, terr.StatusCode == http.StatusForbidden:
		return driver.Denied(host, doing, repo.RepositoryStr(), answer(terr))
	case terr.StatusCode == http.StatusMethodNotAllowed:
		return driver.ReadOnly(host, doing, repo.RepositoryStr(), answer(terr))
	case terr.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: could not %s %s: a layer is larger than registry %s, or a proxy in front of it, takes (it answered "+
			"413: %s): raise that limit, or %s", driver.ErrRefused, doing, repo.RepositoryStr(), host, reason(terr), driver.Elsewhere)
	case outOfSpace(terr):
		return fmt.Errorf("%w: could not %s %s: registry %s has no space left (it answered %d: %s): free some there "+
			"(`proa image prune`, and then the registry's garbage collection), or %s",
			driver.ErrUnavailable, doing, repo.RepositoryStr(), host, terr.StatusCode, reason(terr), driver.Elsewhere)
	case transient(terr):
		return fmt.Errorf("%w: registry %s answered %d (%s) again and again while we tried to %s %s: try later",
			driver.ErrUnavailable, host, terr.StatusCode, reason(terr), doing, repo.RepositoryStr())
	}
	return fmt.Errorf("could not %s %s on registry %s: it answered %d: %s",
		doing, repo.RepositoryStr(), host, terr.StatusCode, reason(terr))
}

// answer is the registry's status, and what it said.
func answer(terr *transport.Error) string {
	return fmt.Sprintf("%d %s: %s", terr.StatusCode, http.StatusText(terr.StatusCode), reason(terr))
}

// outOfSpace says that the registry, or the account there, is full. Registries have no status of their own for it; some
// print their operating system's error, whose number is 28.
func outOfSpace(terr *transport.Error) bool {
	if terr.StatusCode == http.StatusInsufficientStorage {
		return true
	}
	if terr.StatusCode < http.StatusInternalServerError && terr.StatusCode != http.StatusForbidden {
		return false
	}
	text := strings.ToLower(terr.Error())
	for _, sign := range []string{"no space left", "disk quota exceeded", "insufficient storage", "quota exceeded", "err:28 ", "err:28]"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// badCertificate says that we did not trust the server.
func badCertificate(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate)
}

func explainCertificate(err error, repo name.Repository, doing string) error {
	host := repo.RegistryStr()
	var expired x509.CertificateInvalidError
	if errors.As(err, &expired) && expired.Reason == x509.Expired && expired.Cert != nil {
		return fmt.Errorf("%w: could not %s %s: the certificate of registry %s is valid from %s to %s only: renew it there, or correct "+
			"this machine's clock: %w", driver.ErrUnavailable, doing, repo.RepositoryStr(), host,
			expired.Cert.NotBefore.Format(time.DateOnly), expired.Cert.NotAfter.Format(time.DateOnly), err)
	}
	return fmt.Errorf("%w: could not %s %s: registry %s shows a certificate that isn't valid: if it is from an authority of your own, "+
		"give that authority's as the attribute ca of the container registry: %w", driver.ErrUnavailable, doing, repo.RepositoryStr(), host, err)
}

// reason is what the registry said, without the request, whose URL may carry signatures.
func reason(terr *transport.Error) string {
	if len(terr.Errors) > 0 {
		return terr.Errors[0].String()
	}
	text := http.StatusText(terr.StatusCode)
	if _, said, ok := strings.Cut(terr.Error(), text+": "); ok && text != "" {
		return shortLine(said) // it didn't say it the protocol's way, as proxies in front of it don't
	}
	return cmp.Or(text, "no reason given")
}

// shortLine is a text's first words on one line.
func shortLine(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

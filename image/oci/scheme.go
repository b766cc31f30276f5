package oci

import (
	"context"
	"net/http"
	"strings"
	"sync"
)

// greeter sees the first exchange with a registry, which is tried with and without TLS where either is likely, and
// remembers which of them the registry speaks.
type greeter struct {
	http.RoundTripper

	mu      sync.Mutex
	schemes map[string]bool
	// certificate is why TLS failed, if it was the registry's certificate.
	certificate error
}

func (g *greeter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.RoundTripper.RoundTrip(r)
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/v2/") {
		return resp, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized):
		g.schemes[r.URL.Scheme] = true
	case badCertificate(err):
		g.certificate = err
	}
	return resp, err
}

// scheme is what the registry speaks; TLS, if it speaks both.
func (g *greeter) scheme(otherwise string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.schemes["https"]:
		return "https"
	case g.schemes["http"]:
		return "http"
	}
	return otherwise
}

// blame is the error to tell of: an invalid certificate rather than that there is no plain HTTP either.
func (g *greeter) blame(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && g.certificate != nil {
		return g.certificate
	}
	return err
}

// PlainHTTP says whether a repository's registry speaks plain HTTP.
func (b *Builder) PlainHTTP(ctx context.Context, repository string) (bool, error) {
	repo, err := b.repository(repository)
	if err != nil {
		return false, err
	}
	r, err := b.connect(ctx, repo, true)
	if err != nil {
		return false, err
	}
	return r.scheme == "http", nil
}

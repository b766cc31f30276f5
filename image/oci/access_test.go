package oci_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

// guard makes a registry want tokens, which it gives to who knows the password.
type guard struct {
	host string

	mu     sync.Mutex
	scopes []string
	given  int
	// left is after how many requests the tokens of that moment run out; they don't if it is negative. expired is the number
	// of the last one that did.
	left, expired int
}

func guarded(t *testing.T, s *server) *guard {
	t.Helper()
	g := &guard{left: -1, host: "http://" + s.host}
	s.setFault(g.refuses)
	return g
}

func (g *guard) token(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "ada" || password != "hush-hush" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.scopes = append(g.scopes, r.URL.Query()["scope"]...)
	g.given++
	_ = json.NewEncoder(w).Encode(map[string]any{"token": "token-" + strings.Repeat("x", g.given), "expires_in": 300})
}

func (g *guard) refuses(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/token" {
		g.token(w, r)
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left == 0 {
		g.left, g.expired = -1, g.given
	}
	marks, isToken := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-")
	if number := len(marks); isToken && number > g.expired && number <= g.given {
		g.left--
		return false
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.host+`/token",service="test"`)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
	return true
}

func TestTokens(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	r := request(s, tree(t, map[string]string{"run.py": "x"}))
	none := authn.NewMultiKeychain()
	g := guarded(t, s)
	b, err := oci.New(oci.Config{Username: "ada", Password: "hush-hush"}, &oci.Options{CacheDir: t.TempDir(), Keychain: none})
	check(t, err)
	built, err := b.Build(t.Context(), r, nil)
	check(t, err)
	for _, want := range []string{"repository:team/proa:push,pull", "repository:library/python:pull"} {
		if !slices.Contains(g.scopes, want) {
			t.Errorf("asked for %q, without %q", g.scopes, want)
		}
	}
	s.setFault(nil)
	check(t, validate.Image(pull(t, built.Ref)))

	// A token that runs out in the middle is replaced.
	g = guarded(t, s)
	g.left = 4
	b, err = oci.New(oci.Config{Username: "ada", Password: "hush-hush"}, &oci.Options{CacheDir: t.TempDir(), Keychain: none})
	check(t, err)
	r.Environment = map[string]string{"A": "b"}
	_, err = b.Build(t.Context(), r, nil)
	check(t, err)
	if g.given < 2 {
		t.Errorf("%d tokens were given, want another after the first ran out", g.given)
	}

	guarded(t, s)
	b, err = oci.New(oci.Config{Username: "ada", Password: "hush-wrong"}, &oci.Options{CacheDir: t.TempDir(), Keychain: none})
	check(t, err)
	_, err = b.Build(t.Context(), r, nil)
	if !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "docker login "+s.host) || strings.Contains(err.Error(), "hush") {
		t.Errorf("Build = %v, want ErrRefused with the remedy and no password", err)
	}
}

// TestCredentialHelper has the Docker config name a program that knows the password.
func TestCredentialHelper(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	guarded(t, s)
	bin, home := t.TempDir(), t.TempDir()
	helper := filepath.Join(bin, "docker-credential-own")
	write(t, helper, "#!/bin/sh\nread host\ntest \"$1 $host\" = 'get "+s.host+"' && echo '{\"Username\":\"ada\",\"Secret\":\"hush-hush\"}'\n")
	check(t, os.Chmod(helper, 0o755))
	write(t, filepath.Join(home, "config.json"), `{"credHelpers":{"`+s.host+`":"own"}}`)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("DOCKER_CONFIG", home)
	_, err := quick(t, oci.Options{}).Build(t.Context(), request(s, tree(t, map[string]string{"run.py": "x"})), nil)
	check(t, err)
}

func TestOwnAuthority(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	secure := httptest.NewUnstartedServer(s)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := s.host
	s.host = strings.TrimPrefix(secure.URL, "https://")
	r := request(s, tree(t, map[string]string{"run.py": "x"}))
	s.host = plain
	_, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "attribute ca") {
		t.Errorf("Build = %v, want it to name the attribute ca", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	b, err := oci.New(oci.Config{CA: certificate}, &oci.Options{CacheDir: t.TempDir()})
	check(t, err)
	built, err := b.Build(t.Context(), r, nil)
	check(t, err)
	check(t, validate.Image(pull(t, strings.Replace(built.Ref, r.Repository, plain+"/team/proa", 1))))
	expired := httptest.NewUnstartedServer(s)
	expired.Config.ErrorLog = log.New(io.Discard, "", 0)
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{outdated(t)}, MinVersion: tls.VersionTLS12}
	expired.StartTLS()
	t.Cleanup(expired.Close)
	s.host = strings.TrimPrefix(expired.URL, "https://")
	r.Repository = s.host + "/team/proa"
	_, err = quick(t, oci.Options{}).Build(t.Context(), r, nil)
	for _, want := range []string{s.host, "team/proa", "valid from 2001-02-03 to 2001-03-04", "renew it"} {
		if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("Build = %v, want it to say %q", err, want)
		}
	}
	if _, err := oci.New(oci.Config{CA: []byte("no certificate")}, &oci.Options{CacheDir: t.TempDir()}); err == nil {
		t.Error("text that is no certificate is taken for one")
	}
}

// outdated is a certificate that has expired.
func outdated(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC),
		NotAfter: time.Date(2001, 3, 4, 0, 0, 0, 0, time.UTC), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

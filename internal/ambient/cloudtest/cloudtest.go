// Package cloudtest serves tests on this machine what the clouds' identity services serve: it checks each request as they
// would, and gives out tokens that it knows again.
package cloudtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how the services behave. The zero value is good.
type Options struct {
	// Lifetime is that of what is given out; 0 means an hour.
	Lifetime time.Duration
	// Now is the services' clock; nil means the real one.
	Now func() time.Time
	// Deny has every request for a token refused, NoCreate every one for a repository.
	Deny, NoCreate bool
}

// Cloud is the identity services of all clouds.
type Cloud struct {
	Options
	// Plain and Secure are one server, over HTTP and over TLS; CA is the file of its certificate.
	Plain, Secure *httptest.Server
	CA            string
	// Key is an access key that Amazon's services know, and what theirs give out: a session of it.
	Key, Secret string
	// Account is the private key of Google's service account, Subject what a Kubernetes cluster signs its tokens with.
	Account, Subject *rsa.PrivateKey
	// Repositories are those that Amazon's registry has.
	Repositories sync.Map

	t    *testing.T
	mu   sync.Mutex
	log  []string
	last string
	ends map[string]time.Time
}

// Start starts the services, which the test's end stops.
func Start(t *testing.T, o Options) *Cloud {
	t.Helper()
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cloud{Options: o, t: t, Key: "AKIATEST", Secret: "secret-of-the-test", Account: newKey(t), Subject: newKey(t), ends: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sts/{$}", c.amazonSTS)
	mux.HandleFunc("GET /container", c.amazonContainer)
	mux.HandleFunc("PUT /latest/api/token", c.amazonMachine)
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/", c.amazonMachine)
	mux.HandleFunc("POST /{$}", c.amazonRegistry)
	mux.HandleFunc("POST /oauth2/exchange", c.azureExchange)
	mux.HandleFunc("GET /oauth2/token", c.registryToken)
	mux.HandleFunc("POST /google/token", c.googleToken)
	mux.HandleFunc("POST /google/sts", c.googleExchange)
	mux.HandleFunc("POST /google/impersonate", c.googleImpersonate)
	mux.HandleFunc("GET /computeMetadata/v1/instance/service-accounts/default/token", c.googleMetadata)
	mux.HandleFunc("GET /computeMetadata/v1/project/project-id", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "project") })
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", c.azureDiscovery)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", c.azureToken)
	mux.HandleFunc("GET /msi/token", c.azureAppService)
	mux.HandleFunc("GET /metadata/identity/oauth2/token", c.azureIMDS)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.note("unknown: " + r.Method + " " + r.URL.Path)
		http.NotFound(w, r)
	})
	c.Plain, c.Secure = httptest.NewServer(mux), httptest.NewTLSServer(mux)
	t.Cleanup(c.Plain.Close)
	t.Cleanup(c.Secure.Close)
	c.CA = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Secure.Certificate().Raw})
	if err := os.WriteFile(c.CA, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Asked returns what the services were asked for, in order.
func (c *Cloud) Asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.log...)
}

// Valid reports whether a token is the one given out last: an older one has been replaced.
func (c *Cloud) Valid(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return token != "" && token == c.last
}

// Good reports whether a token was given out and has not expired.
func (c *Cloud) Good(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Now().Before(c.ends[token])
}

func (c *Cloud) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, what)
}

// issue gives out a new token for what was asked, unless a check of the request failed.
func (c *Cloud) issue(what string, checks error) (string, error) {
	c.note(what)
	c.mu.Lock()
	defer c.mu.Unlock()
	if checks != nil {
		c.log = append(c.log, "refused: "+checks.Error())
		return "", checks
	}
	if c.Deny {
		return "", errors.New("the test denies it")
	}
	c.last = "token-" + rand.Text()
	c.ends[c.last] = c.Now().Add(c.Lifetime)
	return c.last, nil
}

// want is an error unless two texts are the same.
func want(name, got, expected string) error {
	if got != expected {
		return fmt.Errorf("%s is %q, want %q", name, got, expected)
	}
	return nil
}

// reply answers in JSON.
func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// SubjectFile writes a token of a Kubernetes service account, as the kubelet projects it, for an audience.
func (c *Cloud) SubjectFile(audience string) string {
	c.t.Helper()
	token := c.sign(c.Subject, map[string]any{
		"iss": "https://cluster.test", "sub": "system:serviceaccount:ml:proa", "aud": audience, "exp": time.Now().Add(time.Hour).Unix(),
	})
	path := filepath.Join(c.t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c *Cloud) sign(key *rsa.PrivateKey, claims map[string]any) string {
	c.t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		c.t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		c.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// verify checks a JSON web token's signature, audience and time, and returns its claims.
func verify(token string, key *rsa.PublicKey, audience string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is not a JSON web token", token)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, fmt.Errorf("the signature of the token: %w", err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return nil, fmt.Errorf("the signature of the token: %w", err)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("the claims of the token: %w", err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(body, &claims); err != nil {
		return nil, fmt.Errorf("the claims of the token: %w", err)
	}
	if expiry, _ := claims["exp"].(float64); time.Unix(int64(expiry), 0).Before(time.Now()) {
		return nil, errors.New("the token has expired")
	}
	return claims, want("the audience of the token", fmt.Sprint(claims["aud"]), audience)
}

// PEM encodes a private key.
func PEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

package login_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/login"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/ambient/cloudtest"
	"github.com/proa-ml/proa/internal/testbed"
)

const (
	googleRegistry = "europe-docker.pkg.dev"
	github         = "ghcr.io"
)

// world is a cloud on this machine: its identity services, and a gate before a real registry that does as the cloud's does.
type world struct {
	*cloudtest.Cloud
	client *http.Client
	prefix string

	mu    sync.Mutex
	clock time.Time
	// seen are the logins and tokens that came with requests; hook is called before each of them.
	seen []string
	hook func(r *http.Request)
}

// hosts takes requests to the clouds' hosts to this machine.
type hosts struct {
	to    map[string]string
	inner http.RoundTripper
}

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	to, ok := h.to[r.URL.Host]
	if !ok {
		return h.inner.RoundTrip(r)
	}
	moved := r.Clone(r.Context())
	moved.Host = r.URL.Host
	moved.URL.Scheme, moved.URL.Host = "http", to
	return h.inner.RoundTrip(moved)
}

func newWorld(t *testing.T, o cloudtest.Options) *world {
	t.Helper()
	registry := os.Getenv("PROA_TEST_REGISTRY")
	if registry == "" {
		testbed.Missing(t, "PROA_TEST_REGISTRY is not set; `go run ./hack/cluster env` prints it")
	}
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "PATH": "/nowhere", "DOCKER_CONFIG": t.TempDir(), "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere",
		"AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "NO_GCE_CHECK": "true", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
	} {
		t.Setenv(name, value)
	}
	w := &world{prefix: "login-test-" + strings.ToLower(rand.Text()), clock: time.Now()}
	o.Now = w.now
	w.Cloud = cloudtest.Start(t, o)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: registry})
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Authorization")
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}}
	gate := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { w.gate(out, r, proxy) }))
	t.Cleanup(gate.Close)
	place := strings.TrimPrefix(gate.URL, "http://")
	w.client = &http.Client{Transport: hosts{
		to: map[string]string{
			cloudtest.AmazonRegistry: place, cloudtest.AzureRegistry: place, googleRegistry: place, github: place,
			cloudtest.AmazonAPI: strings.TrimPrefix(w.Plain.URL, "http://"),
		},
		inner: w.Secure.Client().Transport,
	}}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// gate lets nobody to the registry who isn't logged in.
func (w *world) gate(out http.ResponseWriter, r *http.Request, proxy http.Handler) {
	if strings.HasPrefix(r.URL.Path, "/oauth2/") {
		w.Plain.Config.Handler.ServeHTTP(out, r)
		return
	}
	w.mu.Lock()
	hook := w.hook
	w.mu.Unlock()
	if hook != nil {
		hook(r)
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	challenge := `Bearer realm="https://` + r.Host + `/oauth2/token",service="` + r.Host + `"`
	if r.Host == cloudtest.AmazonRegistry {
		challenge = `Basic realm="https://` + r.Host + `/",service="ecr.amazonaws.com"`
		user, password, _ := r.BasicAuth()
		if token = password; user != "AWS" {
			token = ""
		}
	}
	if !w.Good(token) {
		out.Header().Set("WWW-Authenticate", challenge)
		refuse(out, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	w.mu.Lock()
	w.seen = append(w.seen, token)
	w.mu.Unlock()
	repository, _, isUpload := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/uploads/")
	if _, there := w.Repositories.Load(repository); r.Host == cloudtest.AmazonRegistry && isUpload && !there {
		refuse(out, http.StatusNotFound, "NAME_UNKNOWN")
		return
	}
	proxy.ServeHTTP(out, r)
}

func refuse(out http.ResponseWriter, status int, code string) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": "words about " + code}}})
}

// builder returns a builder that has nothing but the machine's credentials, and what the Docker configuration says.
func (w *world) builder(t *testing.T) *oci.Builder {
	t.Helper()
	b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: t.TempDir(), Transport: w.client.Transport, Backoff: time.Microsecond,
		Ambient: login.New(&login.Options{Env: os.Getenv, Client: w.client, Now: w.Now})})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dockerLogin has the Docker configuration hold a login of yesterday.
func (w *world) dockerLogin(t *testing.T) {
	t.Helper()
	old := base64.StdEncoding.EncodeToString([]byte("AWS:yesterday"))
	content := `{"auths":{"` + cloudtest.AmazonRegistry + `":{"auth":"` + old + `"}}}`
	if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// push pushes an image of one file.
func (w *world) push(t *testing.T, b *oci.Builder, host, content string) (driver.Image, error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte(content), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	return b.Binary(t.Context(), w.repository(host), "coordinator", "linux/amd64", program, silent{})
}

func (w *world) repository(host string) string {
	if host == googleRegistry {
		return host + "/" + w.prefix + "/images/proa"
	}
	return host + "/" + w.prefix + "/proa"
}

// silent is a Progress.
type silent struct{}

func (silent) Phase(string)  {}
func (silent) Detail(string) {}

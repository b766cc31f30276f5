// Package oci builds images without a daemon: it reads a base image's manifest, makes layers as files, and talks to the
// registry itself. The base's bytes are never downloaded unless they have to move between registries.
//
// An image is base + dependency layers + proa's own files (together the environment) + code. An environment is found
// again by its build key, in a cache folder on this machine and as the tag env-<key> in the registry, so that a code
// edit costs one small layer and a handful of requests.
package oci

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/proa-ml/proa/image/driver"
)

// Config says how the stack's registry is reached.
type Config struct {
	// Insecure allows plain HTTP. Registries on localhost and private addresses are tried with it in any case.
	Insecure bool
	// CA holds certificates, as PEM, of authorities that are trusted besides the usual ones.
	CA []byte
	// Username and Password go before what the Docker configuration says about the registry.
	Username string
	Password string
}

// String keeps the password out of logs.
func (c Config) String() string {
	return fmt.Sprintf("{insecure:%v username:%s}", c.Insecure, c.Username)
}

// GoString does so for %#v.
func (c Config) GoString() string { return c.String() }

// Options tune a Builder.
type Options struct {
	// CacheDir holds layers and environments; it may be shared by processes and deleted at any time. Required.
	CacheDir string
	// UV is the command that runs uv; empty means to look for it.
	UV []string
	// Env is the environment of uv and Python; nil means this process's, which does for requests without secrets.
	Env []string
	// Keychain finds credentials; nil means the Docker configuration ($DOCKER_CONFIG, ~/.docker).
	Keychain authn.Keychain
	// Ambient knows the machine's credentials at the clouds that registries belong to; nil means that it has none.
	Ambient Ambient
	// Transport carries the requests; nil means a plain one.
	Transport http.RoundTripper
	Logger    *slog.Logger
	// Now is the clock of progress messages and of the cache's ageing.
	Now func() time.Time
	// Backoff is the wait before the second try of a request that failed for a passing reason; 0 means 200 ms.
	Backoff time.Duration
	// LargeWheel is the installed size from which a package has a layer of its own; 0 means 1 MB.
	LargeWheel int64
	// Compression is that of layers; empty means Gzip.
	Compression string
}

// Builder builds images. It is safe for concurrent use.
type Builder struct {
	config  Config
	options Options
	cache   *store
	log     *slog.Logger

	mu      sync.Mutex
	clients map[string]*registry
	// took are the logins that registries took.
	took map[string]way
}

var _ driver.Builder = (*Builder)(nil)

// New returns a builder.
func New(c Config, o *Options) (*Builder, error) {
	if o == nil || o.CacheDir == "" {
		return nil, errors.New("image builder needs a cache folder")
	}
	b := &Builder{config: c, options: *o, clients: map[string]*registry{}, took: map[string]way{}}
	if len(c.CA) > 0 && o.Transport == nil {
		pool, err := authorities(c.CA)
		if err != nil {
			return nil, err
		}
		b.options.Transport = newTransport(pool)
	}
	setDefaults(&b.options)
	b.log = b.options.Logger
	b.cache = &store{dir: b.options.CacheDir, now: b.options.Now}
	return b, nil
}

func setDefaults(o *Options) {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Ambient == nil {
		o.Ambient = nobody{}
	}
	if o.Transport == nil {
		o.Transport = newTransport(nil)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Backoff == 0 {
		o.Backoff = 200 * time.Millisecond
	}
	if o.LargeWheel == 0 {
		o.LargeWheel = 1 << 20
	}
	if o.Compression == "" {
		o.Compression = Gzip
	}
}

// authorities are the system's and those of a PEM file.
func authorities(certificates []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(certificates) {
		return nil, errors.New("the container registry's ca holds no certificate in PEM form")
	}
	return pool, nil
}

func newTransport(trusted *x509.CertPool) http.RoundTripper {
	return &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
	}
}

// progress makes a driver.Progress usable from several goroutines.
type progress struct {
	mu sync.Mutex
	p  driver.Progress
}

func (p *progress) Phase(name string) {
	if p.p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.p.Phase(name)
}

// Note tells what should stay; whoever has no place for it is told in passing.
func (p *progress) Note(text string) {
	noter, ok := p.p.(driver.Noter)
	if !ok {
		p.Detail(text)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	noter.Note(text)
}

func (p *progress) Detail(text string) {
	if p.p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.p.Detail(text)
}

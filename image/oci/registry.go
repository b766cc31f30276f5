package oci

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxManifest bounds manifests and configs, which are held in memory.
const maxManifest = 32 << 20

// registry speaks the distribution protocol with one repository. It makes no request that its caller didn't ask for,
// which keeps the number of round trips in the caller's hands.
type registry struct {
	repo   name.Repository
	scheme string
	client *http.Client
	retry  retry
	cache  *store
	// oneGo says that it takes blobs in one request only.
	oneGo atomic.Bool
	// make makes the repository; see Ambient.
	make func(ctx context.Context, host, repository string) (bool, error)
}

// repository parses a repository's name.
func (b *Builder) repository(text string) (name.Repository, error) {
	var options []name.Option
	if b.config.Insecure {
		options = append(options, name.Insecure)
	}
	repo, err := name.NewRepository(text, options...)
	if err != nil {
		return name.Repository{}, invalid(err, "repository %q: the registry's URI must be host[:port][/path], in lower case", text)
	}
	return repo, nil
}

// connect returns a client of a repository; it is made once. A client that pushes may also mount blobs of from, a
// repository on the same registry.
func (b *Builder) connect(ctx context.Context, repo name.Repository, push bool, from ...name.Repository) (*registry, error) {
	scope := transport.PullScope
	if push {
		scope = transport.PushScope
	}
	scopes := []string{repo.Scope(scope)}
	for _, other := range from {
		if s := other.Scope(transport.PullScope); !slices.Contains(scopes, s) && other.String() != repo.String() {
			scopes = append(scopes, s)
		}
	}
	key := repo.String() + " " + strings.Join(scopes, " ")
	b.mu.Lock()
	r := b.clients[key]
	b.mu.Unlock()
	if r != nil {
		return r, nil
	}
	ways, err := b.ways(ctx, repo, push)
	if err != nil {
		return nil, err
	}
	r = &registry{repo: repo, cache: b.cache, retry: retry{first: b.options.Backoff, log: b.log}, make: b.options.Ambient.Create}
	if err := b.login(ctx, r, ways, scopes, push); err != nil {
		return nil, explain(err, repo, "reach")
	}
	b.mu.Lock()
	b.clients[key] = r
	b.mu.Unlock()
	return r, nil
}

// request is one HTTP request of the protocol.
type request struct {
	method string
	url    string
	accept string
	kind   string
	header map[string]string
	body   func() (io.ReadCloser, error)
	size   int64
	ok     []int
}

// send makes one request and checks the status. The caller closes the body.
func (r *registry) send(ctx context.Context, q request) (*http.Response, error) {
	var body io.Reader
	if q.body != nil {
		opened, err := q.body()
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }()
		body = opened
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, body)
	if err != nil {
		return nil, err
	}
	if q.body != nil {
		req.ContentLength, req.GetBody = q.size, q.body
		if q.size == 0 {
			req.Body = http.NoBody
		}
	}
	if q.accept != "" {
		req.Header.Set("Accept", q.accept)
	}
	if q.kind != "" {
		req.Header.Set("Content-Type", q.kind)
	}
	for key, value := range q.header {
		req.Header.Set(key, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, q.ok...); err != nil {
		_ = resp.Body.Close()
		return nil, &statusError{err: err, after: resp.Header.Get("Retry-After"), date: resp.Header.Get("Date")}
	}
	return resp, nil
}

// root is what says whether a login is taken.
func (r *registry) root() string {
	return (&url.URL{Scheme: r.scheme, Host: r.repo.RegistryStr(), Path: "/v2/"}).String()
}

func (r *registry) url(parts ...string) string {
	u := url.URL{Scheme: r.scheme, Host: r.repo.RegistryStr()}
	u.Path = "/v2/" + r.repo.RepositoryStr() + "/" + strings.Join(parts, "/")
	return u.String()
}

// manifestTypes are the manifests we understand.
var manifestTypes = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
	string(types.OCIImageIndex), string(types.DockerManifestList),
}, ",")

// head returns the digest that a tag or digest stands for; false if there is none.
func (r *registry) head(ctx context.Context, ref string) (string, bool, error) {
	var digest string
	err := r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodHead, url: r.url("manifests", ref), accept: manifestTypes,
			ok: []int{http.StatusOK, http.StatusNotFound}})
		if err != nil {
			return err
		}
		defer discard(resp)
		digest = ""
		if resp.StatusCode == http.StatusOK {
			digest = resp.Header.Get("Docker-Content-Digest")
			if digest == "" {
				digest = "?"
			}
		}
		return nil
	})
	if err != nil || digest == "" {
		return "", false, err
	}
	if digest != "?" {
		return digest, true, nil
	}
	m, found, err := r.manifest(ctx, ref)
	return m.digest, found, err
}

// document is a manifest as it came.
type document struct {
	raw    []byte
	kind   types.MediaType
	digest string
}

// manifest reads the manifest that a tag or digest stands for; false if there is none.
func (r *registry) manifest(ctx context.Context, ref string) (document, bool, error) {
	var d document
	err := r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodGet, url: r.url("manifests", ref), accept: manifestTypes,
			ok: []int{http.StatusOK, http.StatusNotFound}})
		if err != nil {
			return err
		}
		defer discard(resp)
		d = document{}
		if resp.StatusCode == http.StatusNotFound {
			return nil
		}
		if d.raw, err = readAll(resp.Body); err != nil {
			return err
		}
		d.kind = types.MediaType(resp.Header.Get("Content-Type"))
		h, _, err := v1.SHA256(bytes.NewReader(d.raw))
		d.digest = h.String()
		if strings.HasPrefix(ref, "sha256:") && d.digest != ref {
			return fmt.Errorf("registry %s returned another manifest than %s", r.repo.RegistryStr(), ref)
		}
		return err
	})
	return d, d.raw != nil, err
}

// small reads a blob that fits in memory, and checks it.
func (r *registry) small(ctx context.Context, digest string) ([]byte, error) {
	var data []byte
	err := r.retry.do(ctx, func() error {
		body, err := r.blob(ctx, digest, 0, 0)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		if data, err = readAll(body); err != nil {
			return err
		}
		if h, _, err := v1.SHA256(bytes.NewReader(data)); err != nil || h.String() != digest {
			return fmt.Errorf("registry %s returned another blob than %s", r.repo.RegistryStr(), digest)
		}
		return nil
	})
	return data, err
}

// blob reads a blob of some size from an offset on.
func (r *registry) blob(ctx context.Context, digest string, from, size int64) (io.ReadCloser, error) {
	q := request{method: http.MethodGet, url: r.url("blobs", digest), ok: []int{http.StatusOK}}
	if from > 0 {
		q.header = map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", from, size-1)}
		q.ok = append(q.ok, http.StatusPartialContent)
	}
	resp, err := r.send(ctx, q)
	if err != nil {
		return nil, err
	}
	if from > 0 && resp.StatusCode == http.StatusOK { // it gives all or nothing
		if _, err := io.CopyN(io.Discard, resp.Body, from); err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
	}
	return resp.Body, nil
}

func readAll(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		return nil, fmt.Errorf("manifest or config is larger than %d bytes", maxManifest)
	}
	return data, err
}

func discard(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	_ = resp.Body.Close()
}

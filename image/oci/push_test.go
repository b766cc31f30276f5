package oci_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
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

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

// front stands before a registry, counts what it lets pass of the bytes of blobs, and drops connections in the middle of them.
type front struct {
	host string

	mu sync.Mutex
	// cuts are after how many bytes the next bodies are cut.
	cuts []int64
	// onCut is called at a cut.
	onCut  func()
	passed int64
	asked  int
}

func newFront(t *testing.T, registry string) *front {
	t.Helper()
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: registry})
			r.Out.Host = r.In.Host
		},
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/uploads/") {
			f.pass(r)
		}
		proxy.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	f.host = strings.TrimPrefix(s.URL, "http://")
	return f
}

func (f *front) pass(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodGet {
		f.asked++
	}
	left := int64(1 << 60)
	if len(f.cuts) > 0 && r.ContentLength > f.cuts[0] {
		left, f.cuts = f.cuts[0], f.cuts[1:]
	}
	r.Body = &cutBody{ReadCloser: r.Body, front: f, left: left}
}

type cutBody struct {
	io.ReadCloser
	front *front
	left  int64
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left <= 0 {
		if c.front.onCut != nil {
			c.front.onCut()
		}
		return 0, errors.New("cut")
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.front.mu.Lock()
	c.front.passed += int64(n)
	c.front.mu.Unlock()
	return n, err
}

// realRegistry is the test bed's, behind a front.
func realRegistry(t *testing.T) (f *front, r driver.Request) {
	t.Helper()
	host, base := os.Getenv("PROA_TEST_REGISTRY"), os.Getenv("PROA_TEST_PARENT_IMAGE")
	if host == "" || base == "" {
		testbed.Missing(t, "set PROA_TEST_REGISTRY and PROA_TEST_PARENT_IMAGE")
	}
	f = newFront(t, host)
	code := tree(t, map[string]string{"run.py": "print(1)\n", "data.bin": noise(8 << 20), "stamp": fmt.Sprint(time.Now().UnixNano())})
	return f, driver.Request{Repository: fmt.Sprintf("%s/push-test-%d/proa", f.host, time.Now().UnixNano()), Tag: "digits",
		Base: strings.Replace(base, host, f.host, 1), Platform: "linux/amd64", Code: code}
}

func TestBrokenUploadGoesOn(t *testing.T) {
	t.Parallel()
	f, r := realRegistry(t)
	f.cuts = []int64{3 << 20, 2 << 20, 1 << 20, 1 << 19, 1 << 19, 1 << 19}
	// The registry needs a moment to notice that a connection is gone: asked at once, it may still be writing.
	b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: t.TempDir(), Backoff: 100 * time.Millisecond})
	check(t, err)
	_, err = b.Build(t.Context(), r, nil)
	check(t, err)
	check(t, validate.Image(pull(t, r.Repository+":digits"), validate.Fast))
	layers, err := pull(t, r.Repository+":digits").Layers()
	check(t, err)
	check(t, validate.Layer(layers[len(layers)-1]))
	size, err := layers[len(layers)-1].Size()
	check(t, err)
	// From the beginning each time it would be twice as much.
	if f.passed > size+size/2 || f.asked < 6 || len(f.cuts) > 0 {
		t.Errorf("%d bytes were sent for a layer of %d, the registry was asked %d times how much it has, and %d cuts were left",
			f.passed, size, f.asked, len(f.cuts))
	}
}

// TestInterruptedPush interrupts a push: it makes no image, and the next process goes on with it.
func TestInterruptedPush(t *testing.T) {
	t.Parallel()
	f, r := realRegistry(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	f.cuts, f.onCut = []int64{6 << 20}, interrupt
	o := oci.Options{CacheDir: t.TempDir(), Backoff: 100 * time.Millisecond} // see TestBrokenUploadGoesOn
	builder := func() *oci.Builder {
		t.Helper()
		b, err := oci.New(oci.Config{}, &o)
		check(t, err)
		return b
	}
	_, err := builder().Build(ctx, r, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Build = %v, want it interrupted", err)
	}
	ref, err := name.ParseReference(r.Repository + ":digits")
	check(t, err)
	if _, err := remote.Head(ref); err == nil {
		t.Error("the interrupted push made an image")
	}
	_, err = builder().Build(t.Context(), r, nil)
	check(t, err)
	layers, err := pull(t, r.Repository+":digits").Layers()
	check(t, err)
	check(t, validate.Layer(layers[len(layers)-1]))
	size, err := layers[len(layers)-1].Size()
	check(t, err)
	if f.passed > size+size/4 || f.asked == 0 { // anew it would be 6 MB more
		t.Errorf("%d bytes were sent for a layer of %d, and the registry was asked %d times how much it has", f.passed, size, f.asked)
	}
	if kept, err := os.ReadDir(filepath.Join(o.CacheDir, "uploads")); err != nil || len(kept) > 0 {
		t.Errorf("of uploads that have ended, %v is remembered (%v)", kept, err)
	}
}

// TestUploadsBeginAnew has registries that don't go on with an upload, or take blobs in one request only.
func TestUploadsBeginAnew(t *testing.T) {
	refusePatch := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return true
	}
	for what, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{"forgets": nil, "one go": refusePatch} {
		t.Run(what, func(t *testing.T) {
			s := newServer(t)
			pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
			s.setFault(fault)
			f := newFront(t, s.host)
			r := request(&server{host: f.host}, tree(t, map[string]string{"data.bin": noise(5 << 20)}))
			f.cuts = []int64{3 << 20}
			_, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
			check(t, err)
			check(t, validate.Image(pull(t, r.Repository+":digits")))
			if fault == nil && f.passed < 8<<20 {
				t.Errorf("%d bytes were sent, want the first 3 MB twice", f.passed)
			}
		})
	}
}

// TestPushRefused says of every refusal which registry and repository, why, and what to do; no image is made.
func TestPushRefused(t *testing.T) {
	words := func(code int, kind, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	drop := func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	for what, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		kind  error
		want  []string
	}{
		"goes away": {drop, driver.ErrUnavailable, []string{"check that it runs", "run the same command again"}},
		"full": {words(http.StatusInsufficientStorage, "text/plain", "the 10 GB\nare used up"), driver.ErrUnavailable,
			[]string{"no space left", "507: the 10 GB are used up", "image prune"}},
		"full disk": {words(http.StatusInternalServerError, "application/json",
			`{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"write","Path":"/x","Err":28}}}]}`),
			driver.ErrUnavailable, []string{"no space left", "image prune"}},
		"read-only": {words(http.StatusMethodNotAllowed, "application/json", `{"errors":[{"code":"UNSUPPORTED","message":"the operation is unsupported"}]}`),
			driver.ErrRefused, []string{"read-only", "the operation is unsupported", "container-registry update NAME --uri="}},
		"denied": {words(http.StatusForbidden, "application/json", `{"errors":[{"code":"DENIED","message":"ada may only pull"}]}`),
			driver.ErrRefused, []string{"ada may only pull", "docker login"}},
		"too large": {words(http.StatusRequestEntityTooLarge, "text/html", "<h1>413</h1>"), driver.ErrRefused, []string{"413", "proxy", "limit"}},
		"broken":    {words(http.StatusBadGateway, "text/plain", "upstream is away"), driver.ErrUnavailable, []string{"502", "upstream is away", "try later"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
			broken := false
			s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
				s.mu.Lock()
				broken = broken || r.Method == http.MethodPatch || what == "read-only" && r.Method == http.MethodPost
				now := broken
				s.mu.Unlock()
				return now && r.Method != http.MethodHead && c.fault(w, r)
			})
			r := request(s, tree(t, map[string]string{"data.bin": noise(2 << 20)}))
			_, err := quick(t, oci.Options{}).Build(t.Context(), r, nil)
			if !errors.Is(err, c.kind) {
				t.Fatalf("Build = %v, want %v", err, c.kind)
			}
			for _, want := range append(c.want, s.host, "team/proa") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			s.setFault(nil)
			if tags, err := quick(t, oci.Options{}).Tags(t.Context(), r.Repository); err != nil || len(tags) > 0 {
				t.Errorf("images %v, %v; want none", tags, err)
			}
		})
	}
}

// TestRegistryNamesATime has the registry say by its own clock when to ask again.
func TestRegistryNamesATime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	var first, second time.Time
	s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if first.IsZero() {
			first = time.Now()
			there := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
			w.Header().Set("Date", there.Format(http.TimeFormat))
			w.Header().Set("Retry-After", there.Add(time.Second).Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		second = time.Now()
		return false
	})
	_, err := quick(t, oci.Options{}).Build(t.Context(), request(s, tree(t, map[string]string{"data.bin": noise(2 << 20)})), nil)
	check(t, err)
	if waited := second.Sub(first); waited < time.Second {
		t.Errorf("asked again after %s, want 1 s", waited)
	}
}

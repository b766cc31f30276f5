package kubernetes

import (
	"context"
	"crypto/rand"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/internal/testbed"
)

// patience bounds every wait of the tests on a cluster.
const patience = 2 * time.Minute

// password is the registry's, which must not turn up in the cluster.
const password = "canary-9d31f7"

// world is a registry of the test's own, and a namespace for builders on the cluster that the variables PROA_TEST_* describe.
type world struct {
	t       *testing.T
	cfg     Config
	ctx     context.Context //nolint:containedctx // the test's own, with a limit
	cluster *Cluster
	// address is the registry's, inside another one of the same.
	address, inside string

	mu sync.Mutex
	// refuse answers pushes with this status; paths are what was asked of the registry at its inner address.
	refuse int
	paths  []string
	// hanging is closed when a build asks for what never comes.
	hanging chan struct{}
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	for _, name := range []string{"PROA_TEST_CONTEXT", "PROA_TEST_BUILDKIT_IMAGE", "PROA_TEST_HOST"} {
		if os.Getenv(name) == "" {
			testbed.Missing(t, "%s is not set: no cluster to test on (go run ./hack/cluster up makes one)", name)
		}
	}
	t.Parallel()
	w := &world{t: t, hanging: make(chan struct{})}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	w.address, w.inside = w.serve(images, false), w.serve(images, true)
	w.cfg = Config{
		Cluster:   kubeconfig.Cluster{Kubeconfig: os.Getenv("PROA_TEST_KUBECONFIG"), Context: os.Getenv("PROA_TEST_CONTEXT")},
		Namespace: "proa-test-" + strings.ToLower(rand.Text()[:8]), Image: os.Getenv("PROA_TEST_BUILDKIT_IMAGE"),
		Route: func(context.Context) (buildkit.Route, error) {
			return buildkit.Route{Host: w.address, Inside: w.inside, HTTP: true}, nil
		},
	}
	if change != nil {
		change(&w.cfg)
	}
	w.cluster = w.engine(nil)
	t.Cleanup(w.remove)
	return w
}

func (w *world) engine(o *Options) *Cluster {
	w.t.Helper()
	c, err := New(w.cfg, o)
	w.check(err)
	return c
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), patience)
	defer cancel()
	err := w.cluster.client.CoreV1().Namespaces().Delete(ctx, w.cfg.Namespace, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		w.t.Error(err)
	}
}

// serve serves the registry to who knows the password, and beside it what never comes.
func (w *world) serve(images http.Handler, inside bool) string {
	w.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", net.JoinHostPort(os.Getenv("PROA_TEST_HOST"), "0"))
	w.check(err)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			close(w.hanging)
			<-r.Context().Done()
			return
		}
		w.mu.Lock()
		refuse := w.refuse
		if inside {
			w.paths = append(w.paths, r.Method+" "+r.URL.Path)
		}
		w.mu.Unlock()
		switch _, given, _ := r.BasicAuth(); {
		case given != password:
			rw.Header().Set("WWW-Authenticate", `Basic realm="images"`)
			rw.WriteHeader(http.StatusUnauthorized)
		case refuse != 0 && r.Method == http.MethodPost:
			rw.WriteHeader(refuse)
		default:
			images.ServeHTTP(rw, r)
		}
	})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	w.t.Cleanup(server.Close)
	return listener.Addr().String()
}

// build builds a Dockerfile with an engine. It may be called from any goroutine.
func (w *world) build(ctx context.Context, engine buildkit.Engine, dockerfile string) (driver.Image, error) {
	registry, err := oci.New(oci.Config{Username: "ada", Password: password}, &oci.Options{CacheDir: w.t.TempDir()})
	if err != nil {
		return driver.Image{}, err
	}
	b, err := buildkit.New(buildkit.Config{Engine: engine, Registry: registry, Index: func() (buildkit.Index, error) { return buildkit.Index{}, nil }}, nil)
	if err != nil {
		return driver.Image{}, err
	}
	root := w.t.TempDir()
	for name, content := range map[string]string{"Dockerfile": dockerfile, "word": "a word\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			return driver.Image{}, err
		}
	}
	return b.Build(ctx, driver.Request{Repository: w.address + "/proa", Tag: "built", Platform: "linux/amd64",
		Recipe: driver.Recipe{Dockerfile: filepath.Join(root, "Dockerfile"), Context: root}}, nil)
}

// hang is an instruction that never ends.
func (w *world) hang() string { return "FROM scratch\nADD http://" + w.address + "/hang /word\n" }

// eventually waits for something to be so.
func (w *world) eventually(what string, is func() (bool, error)) {
	w.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := is()
		w.check(err)
		if ok {
			return
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("%s never happened", what)
		case <-tick.C:
		}
	}
}

// empty says that neither a Job nor a pod is left.
func (w *world) empty() (bool, error) {
	jobs, err := w.cluster.jobs().List(w.ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	pods, err := w.cluster.client.CoreV1().Pods(w.cfg.Namespace).List(w.ctx, metav1.ListOptions{})
	return err == nil && len(jobs.Items)+len(pods.Items) == 0, err
}

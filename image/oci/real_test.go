package oci_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

// counting counts requests.
type counting struct {
	inner http.RoundTripper
	n     atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.inner.RoundTrip(r)
}

// TestRealRegistry builds against the registry of the test cluster, with a real base and the real package index. It
// tells how long a cold build, an unchanged one and a code edit take.
func TestRealRegistry(t *testing.T) {
	host, base := os.Getenv("PROA_TEST_REGISTRY"), os.Getenv("PROA_TEST_PARENT_IMAGE")
	if host == "" || base == "" {
		testbed.Missing(t, "set PROA_TEST_REGISTRY and PROA_TEST_PARENT_IMAGE")
	}
	needUV(t)
	code := tree(t, map[string]string{"run.py": "print(1)\n"})
	r := driver.Request{Repository: fmt.Sprintf("%s/image-test-%d/proa", host, time.Now().UnixNano()), Tag: "digits", Base: base,
		Platform: "linux/amd64", Code: code, Requirements: []string{"six"}}
	if list := os.Getenv("PROA_TEST_REQUIREMENTS"); list != "" {
		r.Requirements = filepath.SplitList(list)
	}
	r.Interpreter, r.Python = python(t)
	cache := t.TempDir()
	build := func(what, cache string) driver.Image {
		t.Helper()
		c := &counting{inner: http.DefaultTransport}
		b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: cache, Transport: c})
		check(t, err)
		start := time.Now()
		rec := &recorder{}
		img, err := b.Build(t.Context(), r, rec)
		check(t, err)
		t.Logf("%-28s %8.3f s %3d requests", what, time.Since(start).Seconds(), c.n.Load())
		return img
	}
	first := build("first build", cache)
	check(t, validate.Image(pull(t, first.Ref), validate.Fast))
	if again := build("unchanged", cache); again.Ref != first.Ref || !again.Reused {
		t.Errorf("unchanged build made %v, want %v reused", again, first)
	}
	write(t, filepath.Join(code, "run.py"), fmt.Sprintf("print(%d)\n", time.Now().UnixNano()))
	edited := build("code edit", cache)
	if edited.Ref == first.Ref || !edited.Reused {
		t.Errorf("edit made %v", edited)
	}
	if other := build("unchanged, another machine", t.TempDir()); other.Ref != edited.Ref || !other.Reused {
		t.Errorf("another machine made %v, want %v reused", other, edited)
	}
	r.Environment = map[string]string{"A": "b"}
	build("environment changed", cache)
}

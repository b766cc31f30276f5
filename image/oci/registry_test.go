package oci_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// server is a real registry over HTTP, made stricter than the library's: blobs belong to repositories and can be
// mounted, and a manifest whose blobs are missing is refused. It counts requests and injects faults.
type server struct {
	host  string
	inner http.Handler

	mu       sync.Mutex
	blobs    map[string]map[string]bool // repository -> digests
	pieces   map[string]int64           // upload -> bytes
	requests []string
	uploaded int64
	mounted  int
	// fault may answer a request itself.
	fault func(w http.ResponseWriter, r *http.Request) bool
}

func newServer(t *testing.T, options ...registry.Option) *server {
	t.Helper()
	s := &server{inner: registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...), blobs: map[string]map[string]bool{}, pieces: map[string]int64{}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.host = strings.TrimPrefix(h.URL, "http://")
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	fault := s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	repo, kind, last := split(r.URL.Path)
	switch {
	case kind == "blobs" && (r.Method == http.MethodHead || r.Method == http.MethodGet) && !s.has(repo, last):
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
	case kind == "blobs" && r.Method == http.MethodPost && s.has(r.URL.Query().Get("from"), r.URL.Query().Get("mount")):
		s.addBlob(repo, r.URL.Query().Get("mount"), 0)
		w.WriteHeader(http.StatusCreated)
	case kind == "manifests" && r.Method == http.MethodPut:
		s.putManifest(w, r, repo)
	default:
		rec := &status{ResponseWriter: w}
		s.inner.ServeHTTP(rec, r)
		switch {
		case r.Method == http.MethodPatch && rec.code == http.StatusAccepted:
			s.took(r.URL.Path, r.ContentLength)
		case r.Method == http.MethodPut && kind == "blobs" && rec.code == http.StatusCreated:
			s.addBlob(repo, r.URL.Query().Get("digest"), r.ContentLength+s.took(r.URL.Path, 0))
		}
	}
}

func (s *server) putManifest(w http.ResponseWriter, r *http.Request, repo string) {
	data, _ := io.ReadAll(r.Body)
	var m v1.Manifest
	_ = json.Unmarshal(data, &m)
	if m.Config.Digest.Hex != "" {
		for _, d := range append(m.Layers, m.Config) {
			if !s.has(repo, d.Digest.String()) {
				refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
				return
			}
		}
	}
	r.Body = io.NopCloser(strings.NewReader(string(data)))
	s.inner.ServeHTTP(w, r)
}

func refuse(w http.ResponseWriter, code int, what string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"test"}]}`, what)
}

func split(path string) (repo, kind, last string) {
	path = strings.TrimPrefix(path, "/v2/")
	for _, kind := range []string{"blobs", "manifests"} {
		if repo, rest, ok := strings.Cut(path, "/"+kind+"/"); ok {
			return repo, kind, rest
		}
	}
	return "", "", ""
}

func (s *server) has(repo, digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[repo][digest]
}

func (s *server) addBlob(repo, digest string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blobs[repo] == nil {
		s.blobs[repo] = map[string]bool{}
	}
	s.blobs[repo][digest] = true
	s.uploaded += size
	if size == 0 {
		s.mounted++
	}
}

// took adds to what an upload has brought so far.
func (s *server) took(upload string, more int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pieces[upload] += more
	return s.pieces[upload]
}

// forget makes a repository lose a blob.
func (s *server) forget(repo, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blobs[repo], digest)
}

// reset begins a new count.
func (s *server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.uploaded, s.mounted = nil, 0, 0
}

func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

func (s *server) setFault(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

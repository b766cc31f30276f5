package artifact_test

import (
	"crypto/md5" //nolint:gosec // S3's own
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// s3Server is a small S3 with one bucket, whose replies a test can spoil. What a real server does is tested where
// PROA_TEST_S3_ENDPOINT names one.
type s3Server struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]s3Object
	parts   map[string]map[string][]byte
	uploads int
	// before may answer a request itself; then it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
	// after is called when a request has had its effect, before its reply is sent.
	after func(w http.ResponseWriter, r *http.Request)
	// log are the requests' methods and keys.
	log []string
}

type s3Object struct {
	data     []byte
	writer   string
	modified time.Time
}

const (
	s3Bucket = "bucket"
	s3Key    = "test-key"
	s3Secret = "test-secret-never-shown"
)

func startS3(t *testing.T) *s3Server {
	t.Helper()
	s := &s3Server{objects: map[string]s3Object{}, parts: map[string]map[string][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *s3Server) config(prefix string) step.Store {
	return step.Store{URL: "s3://" + s3Bucket + "/" + prefix, Options: map[string]string{"endpoint": s.URL, "key": s3Key, "secret": s3Secret}}
}

func (s *s3Server) open(t *testing.T) *artifact.Store {
	t.Helper()
	return openStore(t, s.config("some/prefix"))
}

func s3Fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>words about %s</Message></Error>", code, code)
}

func (s *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	before, after := s.before, s.after
	s.log = append(s.log, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !strings.Contains(r.Header.Get("Authorization"), "Credential="+s3Key+"/") {
		s3Fail(w, http.StatusForbidden, "InvalidAccessKeyId")
		return
	}
	if bucket != s3Bucket {
		s3Fail(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	reply := httptest.NewRecorder()
	s.mu.Lock()
	s.serve(reply, r, key, body)
	s.mu.Unlock()
	if after != nil {
		after(w, r)
	}
	for name, values := range reply.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.Code)
	_, _ = w.Write(reply.Body.Bytes())
}

func (s *s3Server) serve(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	query := r.URL.Query()
	object, found := s.objects[key]
	switch {
	case key == "":
		s.list(w, query.Get("prefix"))
	case r.Method == http.MethodPost && query.Has("uploads"):
		s.uploads++
		id := fmt.Sprint(s.uploads)
		s.parts[id] = map[string][]byte{}
		_, _ = fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == http.MethodPut && query.Has("partNumber"):
		s.parts[query.Get("uploadId")][fmt.Sprintf("%05s", query.Get("partNumber"))] = body
		w.Header().Set("ETag", `"part"`)
	case r.Method == http.MethodPost:
		s.complete(key, query.Get("uploadId"))
		_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><ETag>\"x-1\"</ETag></CompleteMultipartUploadResult>")
	case r.Method == http.MethodPut && r.Header.Get("If-None-Match") == "*" && found:
		s3Fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		s.objects[key] = s3Object{body, r.Header.Get("X-Amz-Meta-Proa-Writer"), time.Now()}
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		delete(s.parts, query.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
	case !found && r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case !found:
		s3Fail(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("X-Amz-Meta-Proa-Writer", object.writer)
		w.Header().Set("Last-Modified", object.modified.UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(object.data))) //nolint:gosec // S3's own
		w.Header().Set("Content-Length", fmt.Sprint(len(object.data)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(object.data)
		}
	}
}

func (s *s3Server) complete(key, upload string) {
	var names []string
	for name := range s.parts[upload] {
		names = append(names, name)
	}
	sort.Strings(names)
	var all []byte
	for _, name := range names {
		all = append(all, s.parts[upload][name]...)
	}
	s.objects[key] = s3Object{data: all, modified: time.Now()}
	delete(s.parts, upload)
}

func (s *s3Server) list(w io.Writer, prefix string) {
	type contents struct {
		Key          string
		Size         int
		LastModified time.Time
		ETag         string
	}
	result := struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []contents
	}{}
	for key, object := range s.objects {
		if strings.HasPrefix(key, prefix) {
			result.Contents = append(result.Contents, contents{Key: key, Size: len(object.data), LastModified: object.modified, ETag: `"x"`})
		}
	}
	sort.Slice(result.Contents, func(i, j int) bool { return result.Contents[i].Key < result.Contents[j].Key })
	_ = xml.NewEncoder(w).Encode(result)
}

// count returns how many logged requests start with prefix, and forgets the log.
func (s *s3Server) count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, entry := range s.log {
		if strings.HasPrefix(entry, prefix) {
			n++
		}
	}
	s.log = nil
	return n
}

// hook sets what spoils requests and replies from now on.
func (s *s3Server) hook(before func(http.ResponseWriter, *http.Request) bool, after func(http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

package gcs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/proa-ml/proa/artifact/gcs"
)

// server takes uploads as the service does: what it has of a resumable upload it says in Range, and what is sent again it
// ignores. What else the service does is tested in package artifact, on an emulator.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string][]byte
	session []byte
	about   struct{ Name, Crc32c string }
	log     []string
	// cut shortens what arrives of a part, in bytes; lose has the reply to it get lost. Each part uses one up.
	cut  []int
	lose []bool
}

func start(t *testing.T) *server {
	t.Helper()
	s := &server{objects: map[string][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) open(t *testing.T) *blob.Bucket {
	t.Helper()
	bucket := gcs.OpenBucket("bucket", &gcs.Options{Endpoint: s.URL})
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	return bucket
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, strings.TrimSpace(r.Method+" "+r.URL.Query().Get("uploadType")+r.Header.Get("Content-Range")))
	switch {
	case r.Method == http.MethodDelete:
		s.session = nil
		w.WriteHeader(499)
	case r.URL.Query().Get("uploadType") == "resumable":
		s.session = []byte{}
		_ = json.Unmarshal(body, &s.about)
		w.Header().Set("Location", s.URL+"/session")
	case r.URL.Query().Get("uploadType") == "multipart":
		s.whole(r, body)
	default:
		s.part(w, r.Header.Get("Content-Range"), body)
	}
}

func (s *server) whole(r *http.Request, body []byte) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return
	}
	form := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	about, err := form.NextPart()
	if err != nil {
		return
	}
	_ = json.NewDecoder(about).Decode(&s.about)
	content, err := form.NextPart()
	if err != nil {
		return
	}
	s.objects[s.about.Name], _ = io.ReadAll(content)
}

func (s *server) part(w http.ResponseWriter, contentRange string, body []byte) {
	span, total, _ := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	if span != "*" {
		from, _, _ := strings.Cut(span, "-")
		begin, _ := strconv.Atoi(from)
		if len(s.cut) > 0 {
			body, s.cut = body[:max(0, len(body)-s.cut[0])], s.cut[1:]
		}
		if end := begin + len(body); begin <= len(s.session) && end > len(s.session) {
			s.session = append(s.session, body[len(s.session)-begin:]...)
		}
	}
	if total == strconv.Itoa(len(s.session)) {
		s.objects[s.about.Name] = s.session
	}
	if span != "*" && len(s.lose) > 0 {
		lose := s.lose[0]
		s.lose = s.lose[1:]
		if lose {
			panic(http.ErrAbortHandler)
		}
	}
	if s.objects[s.about.Name] != nil {
		return
	}
	if len(s.session) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.session)-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

const part = 256 << 10

func content(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	return data
}

func TestUploads(t *testing.T) {
	for name, c := range map[string]struct {
		size     int
		cut      []int
		lose     []bool
		requests string
	}{
		"empty":            {size: 0, requests: "POST multipart"},
		"one part":         {size: part, requests: "POST multipart"},
		"one byte more":    {size: part + 1, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes 262144-262144/262145"},
		"two parts":        {size: 2 * part, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes 262144-524287/524288"},
		"half a part":      {size: 2 * part, cut: []int{part / 2}, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes 131072-262143/*|PUT bytes 262144-524287/524288"},
		"nothing taken":    {size: 2 * part, cut: []int{part}, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes 0-262143/*|PUT bytes 262144-524287/524288"},
		"lost reply":       {size: 2 * part, lose: []bool{true}, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes */*|PUT bytes 262144-524287/524288"},
		"lost last reply":  {size: 2 * part, lose: []bool{false, true}, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes 262144-524287/524288|PUT bytes */*"},
		"lost half a part": {size: 2 * part, cut: []int{0, 100}, lose: []bool{false, true}, requests: "POST resumable|PUT bytes 0-262143/*|PUT bytes 262144-524287/524288|PUT bytes */*|PUT bytes 524188-524287/524288"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.cut, s.lose = c.cut, c.lose
			data := content(c.size)
			if err := s.open(t).Upload(t.Context(), "a/key", bytes.NewReader(data), &blob.WriterOptions{ContentType: "x/y", BufferSize: part}); err != nil {
				t.Fatal(err)
			}
			if got := s.objects["a/key"]; !bytes.Equal(got, data) {
				t.Errorf("%d bytes arrived of %d", len(got), len(data))
			}
			if got := strings.Join(s.log, "|"); got != c.requests {
				t.Errorf("got the requests  %s\nwant %s", got, c.requests)
			}
		})
	}
}

func TestUploadThatFails(t *testing.T) {
	s := start(t)
	s.cut = []int{part, part, part, part}
	err := s.open(t).Upload(t.Context(), "key", bytes.NewReader(content(2*part)), &blob.WriterOptions{ContentType: "x/y", BufferSize: part})
	if err == nil || s.objects["key"] != nil || s.session != nil {
		t.Errorf("got %v, %d bytes of an object, %d of an upload; want an error and nothing", err, len(s.objects["key"]), len(s.session))
	}
	if last := s.log[len(s.log)-1]; last != http.MethodDelete {
		t.Errorf("the last request is %s", last)
	}
}

func TestWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		object, list string
		status       int
		want         gcerrors.ErrorCode
		missing      gcs.Missing
	}{
		"in plain text":    {"No such object: bucket/key", "", 500, gcerrors.NotFound, gcs.MissingObject},
		"in JSON":          {`{"error": {"message": "No such object: bucket/key"}}`, "", 500, gcerrors.NotFound, gcs.MissingObject},
		"the bucket":       {`{"error": {"message": "The specified bucket does not exist."}}`, "", 500, gcerrors.Unknown, gcs.MissingBucket},
		"object by list":   {`{"error": {"message": "Not Found"}}`, `{"kind": "storage#objects"}`, 200, gcerrors.NotFound, gcs.MissingObject},
		"bucket by list":   {`{"error": {"message": "Not Found"}}`, `{"error": {"message": "Not Found"}}`, 404, gcerrors.Unknown, gcs.MissingBucket},
		"another server":   {"Not Found", "Not Found", 404, gcerrors.Unknown, gcs.MissingUnknown},
		"another's JSON":   {"Not Found", `{"hello": "world"}`, 200, gcerrors.Unknown, gcs.MissingUnknown},
		"the list refused": {"Not Found", `{"error": {"message": "no"}}`, 403, gcerrors.PermissionDenied, gcs.MissingUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			replies := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/o") {
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.list)
					return
				}
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, c.object)
			}))
			t.Cleanup(replies.Close)
			bucket := gcs.OpenBucket("bucket", &gcs.Options{Endpoint: replies.URL})
			_, err := bucket.ReadAll(t.Context(), "key")
			if got := gcerrors.Code(err); got != c.want {
				t.Errorf("got %v (%v), want %v", got, err, c.want)
			}
			var reply *gcs.Error
			if bucket.ErrorAs(err, &reply) && reply.Missing != c.missing {
				t.Errorf("got %v, want %v", reply.Missing, c.missing)
			}
		})
	}
}

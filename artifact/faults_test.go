package artifact_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

func TestUploadSkipsWhatIsThere(t *testing.T) {
	server := startS3(t)
	s := server.open(t)
	dir := makeFolder(t)
	save(t, s, dir)
	first := server.count("PUT ")
	save(t, s, dir)
	if second := server.count("PUT "); second != 1 || first < 10 {
		t.Errorf("%d objects were written first and %d again, want many and the manifest", first, second)
	}
}

// TestLostReply has the server do what it is asked and break the connection.
func TestLostReply(t *testing.T) {
	server := startS3(t)
	s := server.open(t)
	var broken atomic.Int64
	server.hook(nil, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && broken.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	created, err := s.PutNew(t.Context(), "outcome", []byte("mine"))
	if err != nil || !created || broken.Load() < 2 {
		t.Errorf("after a lost reply: created is %v, error %v, %d requests", created, err, broken.Load())
	}
	if created, err := s.PutNew(t.Context(), "outcome", []byte("other")); err != nil || created {
		t.Errorf("afterwards: created is %v, error %v", created, err)
	}
	wantObject(t, s, "outcome", "mine")
}

func TestConditionalConflict(t *testing.T) {
	server := startS3(t)
	s := server.open(t)
	var conflicts atomic.Int64
	server.hook(func(w http.ResponseWriter, _ *http.Request) bool {
		if conflicts.Add(1) > 2 {
			return false
		}
		s3Fail(w, http.StatusConflict, "ConditionalRequestConflict")
		return true
	}, nil)
	if created, err := s.PutNew(t.Context(), "key", []byte("x")); err != nil || !created {
		t.Errorf("after two conflicts: created is %v, error %v", created, err)
	}
}

// TestBrokenTransfer has the connection break in the middle of a blob.
func TestBrokenTransfer(t *testing.T) {
	server := startS3(t)
	s := server.open(t)
	dir := makeFolder(t)
	a := save(t, s, dir)
	var broken atomic.Int64
	server.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || broken.Add(1) != 3 {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(bytes.Repeat([]byte("x"), 70_000))
		panic(http.ErrAbortHandler)
	}, nil)
	if _, err := s.Fetch(t.Context(), a.Digest, filepath.Join(t.TempDir(), "target")); err != nil {
		t.Errorf("after one broken transfer: %v", err)
	}
	server.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, strings.TrimPrefix(a.Digest, "sha256:")) {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(bytes.Repeat([]byte("x"), 70_000))
		panic(http.ErrAbortHandler)
	}, nil)
	if _, err := s.Fetch(t.Context(), a.Digest, filepath.Join(t.TempDir(), "target")); !errors.Is(err, artifact.ErrUnavailable) {
		t.Errorf("with every transfer broken: got %v, want ErrUnavailable", err)
	}
}

// TestErrors has a server answer with errors, and looks at what becomes of them.
func TestErrors(t *testing.T) {
	server := startS3(t)
	for name, c := range map[string]struct {
		status int
		code   string
		want   error
		remedy string
	}{
		"wrong key":    {403, "InvalidAccessKeyId", artifact.ErrDenied, "check the store's key and secret"},
		"wrong secret": {403, "SignatureDoesNotMatch", artifact.ErrDenied, "check the store's key and secret"},
		"no rights":    {403, "AccessDenied", artifact.ErrDenied, "may read, write, list and delete"},
		"no bucket":    {404, "NoSuchBucket", artifact.ErrNoBucket, "create the bucket"},
		"slow down":    {503, "SlowDown", artifact.ErrUnavailable, "server runs"},
		"too many":     {429, "TooManyRequests", artifact.ErrUnavailable, "server runs"},
		"internal":     {500, "InternalError", artifact.ErrUnavailable, "server runs"},
		"gateway":      {502, "", artifact.ErrUnavailable, "server runs"},
		"not S3":       {404, "", nil, "is an S3 server's"},
	} {
		t.Run(name, func(t *testing.T) {
			server.hook(func(w http.ResponseWriter, _ *http.Request) bool {
				s3Fail(w, c.status, c.code)
				return true
			}, nil)
			s := server.open(t)
			err := s.Check(t.Context())
			if (c.want != nil && !errors.Is(err, c.want)) || !strings.Contains(err.Error(), c.remedy) || strings.Contains(err.Error(), s3Secret) {
				t.Errorf("Check: got %v, want %v with %q", err, c.want, c.remedy)
			}
			_, err = s.Get(t.Context(), "key")
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) || errors.Is(err, artifact.ErrNotFound) {
				t.Errorf("Get: got %v, want %v", err, c.want)
			}
		})
	}
}

func TestServerGone(t *testing.T) {
	server := startS3(t)
	s := server.open(t)
	server.Close()
	start := time.Now()
	err := s.Check(t.Context())
	if !errors.Is(err, artifact.ErrUnavailable) || !strings.Contains(err.Error(), "endpoint") {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v to notice", took)
	}
}

// TestNotS3 has an endpoint that answers, and is something else. Nothing may be believed to be absent because of it.
func TestNotS3(t *testing.T) {
	server := startS3(t)
	s := server.open(t)
	a := save(t, s, makeFolder(t))
	server.hook(func(w http.ResponseWriter, r *http.Request) bool {
		http.NotFound(w, r)
		return true
	}, nil)
	_, get := s.Get(t.Context(), "key")
	_, exists := s.Exists(t.Context(), a.Digest)
	for what, err := range map[string]error{"Get": get, "Exists": exists, "Check": s.Check(t.Context())} {
		if err == nil || errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("%s: got %v, want an error other than ErrNotFound", what, err)
		}
	}
}

// TestNoCredentials has neither the options nor the machine hold any.
func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(name, "")
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	cfg := startS3(t).config("")
	cfg.Options["key"], cfg.Options["secret"] = "", ""
	err := openStore(t, cfg).Check(t.Context())
	if !errors.Is(err, artifact.ErrDenied) || !strings.Contains(err.Error(), "no credentials were found; check the store's key") {
		t.Errorf("got %v, want ErrDenied", err)
	}
}

// TestSilentServer has a server that takes connections and never answers.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // a test's
	endpoint := "http://" + listener.Addr().String()
	var group sync.WaitGroup
	for url, options := range map[string]map[string]string{
		"s3://bucket":    {"endpoint": endpoint, "key": "k", "secret": "s"},
		"gs://bucket":    {"endpoint": endpoint},
		"az://container": {"endpoint": endpoint, "account_name": "a", "account_key": "a2V5"},
	} {
		s := openStore(t, step.Store{URL: url, Options: options})
		group.Go(func() {
			start := time.Now()
			_, err := s.Get(t.Context(), "key")
			if took := time.Since(start); !errors.Is(err, artifact.ErrUnavailable) || took > 20*time.Second {
				t.Errorf("%s, after %v: got %v, want ErrUnavailable", url, took, err)
			}
		})
	}
	group.Wait()
}

func TestEndpointMistakes(t *testing.T) {
	server := startS3(t)
	for what, change := range map[string]func(o map[string]string){
		"looks like https": func(o map[string]string) { o["endpoint"] = "host:9000" },
		"belong together":  func(o map[string]string) { o["secret"] = "" },
		"must be true":     func(o map[string]string) { o["path_style"] = "yes please" },
		"unknown option":   func(o map[string]string) { o["regoin"] = "x" },
		"instead":          func(o map[string]string) { o["endpoint"] = "http://user:pass@host" },
	} {
		cfg := server.config("")
		change(cfg.Options)
		_, err := artifact.Open(t.Context(), cfg, nil)
		if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "pass@") {
			t.Errorf("got %v, want an error with %q", err, what)
		}
	}
	https := server.config("")
	https.Options["endpoint"] = strings.Replace(server.URL, "http:", "https:", 1)
	err := openStore(t, https).Check(t.Context())
	if err == nil || artifact.Transient(err) || !strings.Contains(err.Error(), "whether the endpoint is http:// or https://") {
		t.Errorf("https to a server that speaks http: got %v", err)
	}
	for _, bad := range []string{"", "bucket", "gcs://bucket", "file://relative/path", "s3:///nobucket", "s3://key:secret@bucket", "s3://bucket?x=y", "s3://bucket/a//b"} {
		_, err := artifact.Open(t.Context(), step.Store{URL: bad}, nil)
		if err == nil || strings.Contains(err.Error(), "secret@") {
			t.Errorf("opening %q: got %v", bad, err)
		}
	}
}

// TestIgnoredCondition has a server that doesn't know If-None-Match.
func TestIgnoredCondition(t *testing.T) {
	server := startS3(t)
	server.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("If-None-Match")
		return false
	}, nil)
	if err := server.open(t).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("got %v, want an error that names If-None-Match", err)
	}
}

// TestHostileManifest fetches manifests that try to write elsewhere.
func TestHostileManifest(t *testing.T) {
	s := openStore(t, step.Store{URL: "mem://"})
	for _, path := range []string{"../x", "/x", "a/../../x", ".", "", "a//b", `..\x`, "a/./b"} {
		data, err := json.Marshal(step.Manifest{APIVersion: spec.APIVersion, Files: []step.File{{Path: path, Inline: []byte("x"), Size: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		digest := "sha256:" + hex.EncodeToString(sum[:])
		key, err := artifact.BlobKey(digest)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, key, string(data))
		parent := t.TempDir()
		if _, err := s.Fetch(t.Context(), digest, filepath.Join(parent, "target")); err == nil {
			t.Errorf("path %q was written", path)
		}
		onlyEntries(t, parent)
	}
}

// TestEndOfSession has the temporary keys that a store was given be over.
func TestEndOfSession(t *testing.T) {
	server := startS3(t)
	cfg := server.config("x")
	cfg.Options["token"] = "session"
	server.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Amz-Security-Token") != "session" {
			return false
		}
		s3Fail(w, http.StatusBadRequest, "ExpiredToken")
		return true
	}, nil)
	err := openStore(t, cfg).Check(t.Context())
	if !errors.Is(err, artifact.ErrDenied) || !strings.Contains(err.Error(), "its session is over: give the store a new key, secret and token") {
		t.Errorf("got %v, want ErrDenied, and what to do", err)
	}
}

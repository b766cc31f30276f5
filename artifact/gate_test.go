package artifact_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/ambient/cloudtest"
	"github.com/proa-ml/proa/step"
)

// childStore is the store that this program, started by a test, is to use: what a machine's credentials are is its environment,
// which one process has only once.
const childStore = "PROA_TEST_AMBIENT_STORE"

func TestMain(m *testing.M) {
	if cfg := os.Getenv(childStore); cfg != "" {
		if err := useStore(context.Background(), cfg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// useStore does what a run does with its store.
func useStore(ctx context.Context, text string) error {
	var cfg step.Store
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	s, err := artifact.Open(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer s.Close() // it is the end of the process
	if err := s.Check(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(os.Getenv("HOME"), "")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), bytes.Repeat([]byte("0123456789abcdef"), 1<<16), 0o600); err != nil {
		return err
	}
	saved, err := s.Save(ctx, dir, "folder", "test", "")
	if err != nil {
		return err
	}
	if _, err := s.Fetch(ctx, saved.Digest, filepath.Join(dir, "again")); err != nil {
		return err
	}
	keys, err := s.List(ctx, "")
	if err != nil || len(keys) == 0 {
		return fmt.Errorf("listing found %q, error %w", keys, err)
	}
	for _, key := range keys {
		if err := s.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// inProcess uses a store in a process that has this environment, and nothing else.
func inProcess(t *testing.T, c *cloudtest.Cloud, cfg step.Store, env map[string]string) error {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = []string{childStore + "=" + string(text), "HOME=" + t.TempDir(), "PATH=/nowhere", "SSL_CERT_FILE=" + c.CA, "SSL_CERT_DIR=/nowhere",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/nowhere", "AWS_SHARED_CREDENTIALS_FILE=/nowhere", "GODEBUG=" + os.Getenv("GODEBUG")}
	for name, value := range env {
		command.Env = append(command.Env, name+"="+value)
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return errors.New(strings.TrimSpace(string(output)))
	}
	return nil
}

// gate is a way to a real server that lets nobody through without the token that was given out last. admit then makes the
// request one that the server takes.
func gate(t *testing.T, secure bool, target string, token func(*http.Request) string, c *cloudtest.Cloud, refuse http.HandlerFunc, admit func(*http.Request)) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		admit(r.Out)
	}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.Valid(token(r)) {
			refuse(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	server := httptest.NewUnstartedServer(handler)
	if secure {
		server.StartTLS() // with the certificate of all of httptest's servers
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// wantAsked checks that a cloud was asked for this (the last of several, with spaces between) and nothing else, and whether
// again and again.
func wantAsked(t *testing.T, c *cloudtest.Cloud, what string, often bool) {
	t.Helper()
	asked := c.Asked()
	kinds := slices.Compact(slices.Clone(asked))
	if what == "" && len(asked) > 0 {
		t.Errorf("the cloud was asked for %q, want nothing", asked)
	}
	if what == "" {
		return
	}
	if often && len(asked) < 3 {
		t.Errorf("the cloud was asked for %q, want it asked again when what it gave had expired", asked)
	}
	if got := strings.Join(kinds, " "); !often && got != what {
		t.Errorf("the cloud was asked for %q, want %q once", asked, what)
	}
}

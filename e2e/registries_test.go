package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// readonly puts before the registry one that takes nothing in one repository, and answers there as the registry itself does in its
// read-only mode. Its address becomes a variable.
func readonly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: readonly variable repository")
	}
	before(ts, args[0], func(r *http.Request) (int, string) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || !strings.HasPrefix(r.URL.Path, "/v2/"+args[1]+"/") {
			return 0, ""
		}
		return http.StatusMethodNotAllowed, `{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}`
	})
}

// throttled puts before the registry one that throttles the cluster's nodes, not others, in a repository as long as the script's
// folder has a file of its name. Its address becomes a variable. The nodes learn that it speaks plain HTTP.
func throttled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: throttled variable")
	}
	before(ts, args[0], func(r *http.Request) (int, string) {
		repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		if !strings.HasPrefix(r.UserAgent(), "containerd/") || repository == "" {
			return 0, ""
		}
		if _, err := os.Stat(ts.MkAbs(repository)); err != nil {
			return 0, ""
		}
		return http.StatusTooManyRequests, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`
	})
	address := ts.Getenv(args[0])
	folder := filepath.Join(ts.Getenv("PROA_TEST_NODE_REGISTRIES"), address)
	ts.Check(os.Mkdir(folder, 0o755))
	ts.Defer(func() { _ = os.RemoveAll(folder) })
	hosts := fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", address)
	ts.Check(os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(hosts), 0o600))
}

// before puts a server before the registry, whose address becomes a variable. What it has an answer for it answers itself.
func before(ts *testscript.TestScript, variable string, answer func(*http.Request) (status int, body string)) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ts.Getenv("PROA_TEST_HOST"), "0"))
	ts.Check(err)
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: ts.Getenv("PROA_TEST_REGISTRY")})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := answer(r)
		if status == 0 {
			behind.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintln(w, body)
	})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv(variable, listener.Addr().String())
}

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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
	listener, err := net.Listen("tcp", net.JoinHostPort(ts.Getenv("PROA_TEST_HOST"), "0"))
	ts.Check(err)
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: ts.Getenv("PROA_TEST_REGISTRY")})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || !strings.HasPrefix(r.URL.Path, "/v2/"+args[1]+"/") {
			behind.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = fmt.Fprintln(w, `{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}`)
	})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv(args[0], listener.Addr().String())
}

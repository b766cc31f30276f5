package e2e

import (
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// effects counts what steps do to the world outside of proa: each attempt tells it that it begins, and that it is done.
// No fault of the tests reaches it.
type effects struct {
	port string
	mu   sync.Mutex
	// seen counts by run, step and number of the attempt.
	seen map[[2]string]map[int]int
}

// listen starts counting.
func listen(t *testing.T) *effects {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0") //nolint:gosec // pods have to reach it
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e := &effects{port: port, seen: map[[2]string]map[int]int{}}
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return e
}

// url is where it is reached from pods.
func (e *effects) url(host string) string { return "http://" + net.JoinHostPort(host, e.port) }

func (e *effects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number, err := strconv.Atoi(q.Get("attempt"))
	if err != nil || q.Get("run") == "" || q.Get("step") == "" {
		http.Error(w, "no run, step and attempt", http.StatusBadRequest)
		return
	}
	if r.URL.Path != "/begin" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	of := [2]string{q.Get("run"), q.Get("step")}
	if e.seen[of] == nil {
		e.seen[of] = map[int]int{}
	}
	e.seen[of][number]++
}

// begun returns how often each attempt of a step has begun.
func (e *effects) begun(run, step string) map[int]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.seen[[2]string{run, step}])
}

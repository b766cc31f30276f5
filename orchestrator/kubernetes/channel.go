package kubernetes

import (
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

const (
	maxLogPart = 4 << 20
	maxOutcome = 16 << 20
)

// channel is the server of the completion channel; package step has its protocol.
type channel struct {
	run     string
	key     []byte
	tracker *tracker
	pool    *pool
}

// serve starts the channel's server on listener; the result stops it and waits for its end, once.
func (c *channel) serve(listener net.Listener, certificate tls.Certificate, logger *slog.Logger) (stop func() error) {
	server := &http.Server{
		Handler:           c.handler(),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	return sync.OnceValue(func() error {
		err := server.Close()
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		return err
	})
}

func (c *channel) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/attempts/{name}/started", c.guard(c.started))
	mux.HandleFunc("POST /v1/attempts/{name}/log", c.guard(c.log))
	mux.HandleFunc("POST /v1/attempts/{name}/outcome", c.guard(c.outcome))
	mux.HandleFunc("GET /v1/pods/{name}/next", c.authorize(c.next))
	return mux
}

// authorize lets in those who prove who they are. While nobody listens, which lasts from the start of a coordinator to its
// Watch, it asks them to come again.
func (c *channel) authorize(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		want := "Bearer " + step.Token(c.key, r.PathValue("name"))
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			http.Error(w, "wrong token", http.StatusUnauthorized)
			return
		}
		if !c.tracker.listening() {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the coordinator is starting", http.StatusServiceUnavailable)
			return
		}
		next(w, r)
	}
}

// guard lets in attempts that are expected, too.
func (c *channel) guard(next http.HandlerFunc) http.HandlerFunc {
	return c.authorize(func(w http.ResponseWriter, r *http.Request) {
		if !c.tracker.expects(r.PathValue("name")) {
			http.Error(w, "this attempt is not expected", http.StatusNotFound)
			return
		}
		next(w, r)
	})
}

func (c *channel) started(w http.ResponseWriter, r *http.Request) {
	c.tracker.report(driver.Status{Attempt: r.PathValue("name"), Phase: driver.Running, ExitCode: -1})
	w.WriteHeader(http.StatusNoContent)
}

func (c *channel) log(w http.ResponseWriter, r *http.Request) {
	offset, err := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	if err != nil || offset < 0 {
		http.Error(w, "offset is not a number of bytes", http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogPart))
	if err != nil {
		readError(w, err)
		return
	}
	c.tracker.log(r.PathValue("name"), offset, data)
	w.WriteHeader(http.StatusNoContent)
}

func (c *channel) outcome(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOutcome))
	if err != nil {
		readError(w, err)
		return
	}
	name := r.PathValue("name")
	var o step.Outcome
	if err := json.Unmarshal(data, &o); err != nil {
		http.Error(w, "the outcome is not valid JSON", http.StatusBadRequest)
		return
	}
	if o.Name != name || o.Run != c.run {
		http.Error(w, fmt.Sprintf("the outcome is attempt %q's of run %q", o.Name, o.Run), http.StatusBadRequest)
		return
	}
	// First, so that what the engine decides because of the outcome finds the pod free.
	c.pool.outcome(name, r.URL.Query().Has("more"))
	c.tracker.report(driver.Status{Attempt: name, Phase: driver.Ended, Outcome: &o, ExitCode: o.ExitCode})
	w.WriteHeader(http.StatusNoContent)
}

// hold is how long an answer about the next attempt may take.
const hold = 20 * time.Second

// next answers when the pod's next attempt is decided, or when the pod is to end.
func (c *channel) next(w http.ResponseWriter, r *http.Request) {
	pod, after := r.PathValue("name"), r.URL.Query().Get("after")
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for {
		attempt, change, until, ok := c.pool.next(pod, after)
		switch {
		case !ok:
			http.Error(w, "there is no more to do", http.StatusGone)
			return
		case attempt != "":
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(step.Next{Attempt: attempt})
			return
		}
		limit := time.NewTimer(until.Sub(c.pool.now()))
		select {
		case <-change:
		case <-limit.C:
		case <-r.Context().Done():
		case <-timer.C:
			w.WriteHeader(http.StatusNoContent)
			limit.Stop()
			return
		}
		limit.Stop()
		if r.Context().Err() != nil {
			return
		}
	}
}

func readError(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		http.Error(w, fmt.Sprintf("more than %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
		return
	}
	http.Error(w, "the request ended early", http.StatusBadRequest)
}

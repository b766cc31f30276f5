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
	return mux
}

// guard lets in attempts that are expected and prove who they are. While nobody listens, which lasts from the start of
// a coordinator to its Watch, it asks them to come again.
func (c *channel) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		want := "Bearer " + step.Token(c.key, name)
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			http.Error(w, "wrong token", http.StatusUnauthorized)
			return
		}
		known, listening := c.tracker.expects(name)
		switch {
		case !listening:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the coordinator is starting", http.StatusServiceUnavailable)
		case !known:
			http.Error(w, "this attempt is not expected", http.StatusNotFound)
		default:
			next(w, r)
		}
	}
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
	c.tracker.report(driver.Status{Attempt: name, Phase: driver.Ended, Outcome: &o, ExitCode: o.ExitCode})
	w.WriteHeader(http.StatusNoContent)
}

func readError(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		http.Error(w, fmt.Sprintf("more than %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
		return
	}
	http.Error(w, "the request ended early", http.StatusBadRequest)
}

package oci

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/ambient"
	"github.com/proa-ml/proa/internal/pause"
)

// tries is how often a request is made before its failure counts: that takes some seconds. A registry that limits our rate
// is well, and only wants us to wait; it gets patientTries, some 20 seconds.
const (
	tries        = 5
	patientTries = 9
)

// statusError is an answer of the registry with an unwanted status.
type statusError struct {
	err error
	// after is when it wants to be asked again, and date when it said so.
	after, date string
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func (e *statusError) transient() bool { return transient(e.err) }

// code is the status.
func (e *statusError) code() int {
	var terr *transport.Error
	if errors.As(e.err, &terr) {
		return terr.StatusCode
	}
	return 0
}

// longest is the longest that a registry makes us wait before a request.
const longest = 30 * time.Second

// wait is how long the registry asks us to wait: seconds, or until a time by its own clock.
func (e *statusError) wait() time.Duration {
	if seconds, err := strconv.Atoi(e.after); err == nil {
		return min(max(time.Duration(seconds)*time.Second, 0), longest)
	}
	until, err := http.ParseTime(e.after)
	now, derr := http.ParseTime(e.date)
	if err != nil || derr != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), longest)
}

// retry does things again that failed for a passing reason.
type retry struct {
	first time.Duration
	log   *slog.Logger
}

func (r retry) do(ctx context.Context, op func() error) error {
	return r.persist(ctx, op, func() bool { return false })
}

// persist does so, and begins to count anew when there was progress.
func (r retry) persist(ctx context.Context, op func() error, progress func() bool) error {
	wait := r.first
	for try := 1; ; try++ {
		err := op()
		if progress() {
			try, wait = 1, r.first
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if try == triesFor(err) || !transient(err) {
			return err
		}
		patience := wait
		var status *statusError
		if errors.As(err, &status) {
			patience = max(patience, status.wait())
		}
		r.log.Debug("trying a registry request again", "try", try, "wait", patience, "error", err)
		if err := pause.For(ctx, patience); err != nil {
			return err
		}
		wait = min(wait*2, 5*time.Second)
	}
}

func triesFor(err error) int {
	var terr *transport.Error
	if errors.As(err, &terr) && terr.StatusCode == http.StatusTooManyRequests {
		return patientTries
	}
	return tries
}

func transient(err error) bool {
	if errors.Is(err, ambient.ErrNone) || errors.Is(err, ambient.ErrRefused) {
		return false
	}
	var terr *transport.Error
	var more again
	switch {
	case errors.Is(err, driver.ErrUnavailable):
		return false // explained already, after enough tries
	case errors.As(err, &more):
		return true
	case errors.As(err, &terr):
		if outOfSpace(terr) {
			return false
		}
		switch terr.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var dns *net.DNSError
	if badCertificate(err) || plainHTTP(err) || errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	var uerr *url.Error
	var nerr net.Error
	return errors.As(err, &uerr) || errors.As(err, &nerr) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// plainHTTP says that we spoke TLS to a server that doesn't.
func plainHTTP(err error) bool {
	return err != nil && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

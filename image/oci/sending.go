package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// resumable is the size from which an upload goes on where it broke off. That takes one request more than sending it in
// one go, and a smaller blob is soon sent again.
const resumable = 1 << 20

// sending is the upload of one blob over several tries.
type sending struct {
	r     *registry
	b     blob
	moved func(int64)
	// location is where the registry takes it; empty before it was asked, and after it has forgotten.
	location string
	// at is how much of it the registry has, as far as we know, and best the most that it ever had.
	at, best int64
	// resumed says that the registry put the blob together from several tries.
	resumed bool

	mu sync.Mutex
	// told is how much of it was reported as moved, and turn the number of the request that reports: the one before may
	// still be reading.
	told int64
	turn int
}

// advanced says that the registry has more than when it was last asked: so long as there is progress, it is worth while
// to go on.
func (s *sending) advanced() bool {
	if s.at <= s.best {
		return false
	}
	s.best = s.at
	return true
}

// again is a failure after which another try may succeed, though the status doesn't say so.
type again struct{ error }

func (a again) Unwrap() error { return a.error }

func (s *sending) try(ctx context.Context) error {
	if s.location != "" {
		if err := s.ask(ctx); err != nil {
			return err
		}
		if s.location == "" { // it has forgotten the upload, or has had all of it
			if there, err := s.r.has(ctx, s.b.digest); err != nil || there {
				return err
			}
		}
	}
	if s.location == "" {
		location, mounted, err := s.r.begin(ctx, s.b)
		if err != nil || mounted {
			return err
		}
		s.location, s.at, s.resumed = location, 0, false
	}
	if s.b.size < resumable || s.r.oneGo.Load() {
		err := s.finish(ctx, 0)
		s.location = "" // half of it is soon sent again
		return err
	}
	if s.at < s.b.size {
		if err := s.patch(ctx); err != nil {
			return err
		}
	}
	return s.finish(ctx, s.b.size)
}

// ask learns how much the registry has. What it has forgotten begins anew.
func (s *sending) ask(ctx context.Context) error {
	resp, err := s.r.send(ctx, request{method: http.MethodGet, url: s.location, ok: []int{http.StatusNoContent, http.StatusAccepted, http.StatusOK}})
	if err != nil {
		if !transient(err) {
			s.location = ""
			return nil
		}
		return err
	}
	defer discard(resp)
	var last int64
	_, err = fmt.Sscanf(strings.TrimPrefix(resp.Header.Get("Range"), "bytes="), "0-%d", &last)
	if err != nil || last == 0 || last >= s.b.size { // "0-0" is also what registries say that have nothing
		s.location = ""
		return nil
	}
	if next := located(resp); next != "" {
		s.location = next
	}
	s.at, s.resumed = last+1, true
	s.r.retry.log.Debug("going on with an upload", "digest", s.b.digest, "at", s.at)
	return nil
}

// patch sends what the registry lacks.
func (s *sending) patch(ctx context.Context) error {
	q := s.request(ctx, http.MethodPatch, s.at, http.StatusAccepted, http.StatusNoContent, http.StatusCreated)
	q.url = s.location
	if s.at > 0 {
		q.header = map[string]string{"Content-Range": fmt.Sprintf("%d-%d", s.at, s.b.size-1)}
	}
	resp, err := s.r.send(ctx, q)
	if err != nil {
		return s.blame(err)
	}
	defer discard(resp)
	if next := located(resp); next != "" {
		s.location = next
	}
	s.at = s.b.size
	return nil
}

// blame says what comes after a piece that was not taken.
func (s *sending) blame(err error) error {
	var status *statusError
	if !errors.As(err, &status) || status.transient() {
		return err // the registry may have some of it
	}
	switch status.code() {
	case http.StatusRequestedRangeNotSatisfiable:
		return again{err} // it has more or less than it said
	case http.StatusNotFound:
		s.location = ""
		return again{err}
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		if s.at == 0 { // it wants blobs in one go
			s.r.oneGo.Store(true)
		}
		s.location = ""
		return again{err}
	}
	return err
}

// finish sends the rest of the blob, if anything is left of it, and has the registry check the digest.
func (s *sending) finish(ctx context.Context, from int64) error {
	u, err := url.Parse(s.location)
	if err != nil {
		return err
	}
	values := u.Query()
	values.Set("digest", s.b.digest)
	u.RawQuery = values.Encode()
	q := s.request(ctx, http.MethodPut, from, http.StatusCreated)
	q.url = u.String()
	resp, err := s.r.send(ctx, q)
	if err != nil {
		var status *statusError
		if errors.As(err, &status) && !status.transient() && (s.resumed || status.code() == http.StatusNotFound && from > 0) {
			s.location = ""
			return again{err}
		}
		return err
	}
	discard(resp)
	return nil
}

// request sends the blob from an offset on, and reports what moves.
func (s *sending) request(ctx context.Context, method string, from int64, ok ...int) request {
	return request{method: method, kind: "application/octet-stream", size: s.b.size - from, ok: ok,
		body: func() (io.ReadCloser, error) {
			turn := s.begin(from)
			if from == s.b.size {
				return http.NoBody, nil
			}
			body, err := s.b.open(ctx, from)
			if err != nil {
				return nil, err
			}
			return &meter{ReadCloser: body, moved: func(n int64) { s.more(turn, n) }}, nil
		}}
}

// begin reports that what is sent from now on starts at an offset; what was sent beyond it is lost.
func (s *sending) begin(from int64) (turn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	if from != s.told {
		s.moved(from - s.told)
		s.told = from
	}
	return s.turn
}

// more reports that a request has sent so much more.
func (s *sending) more(turn int, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn == s.turn {
		s.moved(n)
		s.told += n
	}
}

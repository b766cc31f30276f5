package gcs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"gocloud.dev/blob/driver"

	"github.com/proa-ml/proa/internal/pause"
)

// Times that make an outage show soon; the callers try again.
const (
	attempts   = 3
	firstPause = 100 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// request is one that can be sent again.
type request struct {
	method, url string
	header      http.Header
	body        []byte
}

// send sends a request until the service answers it, but not often. Its error is an *Error if there was a reply.
func (b *bucket) send(ctx context.Context, r request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		response, err := b.once(ctx, r)
		if err == nil || attempt == attempts || !worthAnother(err) {
			return response, err
		}
		if err := pause.For(ctx, between(attempt)); err != nil {
			return nil, err
		}
	}
}

// once sends a request once.
func (b *bucket) once(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	// What is stored is what is read: the server must not unpack, nor this side pack.
	req.Header.Set("Accept-Encoding", "identity")
	if b.tokens != nil {
		token, err := b.tokens.Token()
		if err != nil {
			return nil, &CredentialsError{err}
		}
		token.SetAuthHeader(req)
	}
	response, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 && response.StatusCode != http.StatusPermanentRedirect {
		return nil, failure(response)
	}
	return response, nil
}

// worthAnother reports whether the same request may succeed soon. After a timeout the caller shall learn of the outage.
func worthAnother(err error) bool {
	var reply *Error
	if errors.As(err, &reply) {
		return reply.Status == http.StatusRequestTimeout || reply.Status == http.StatusTooManyRequests ||
			reply.Status >= 500 && reply.Status != http.StatusNotImplemented
	}
	var credentials *CredentialsError
	var network net.Error
	switch {
	case errors.As(err, &credentials), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &network):
		return !network.Timeout()
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// between is how long to wait after an attempt.
func between(attempt int) time.Duration { return min(firstPause<<(attempt-1), maxPause) }

// getJSON reads an answer in JSON.
func (b *bucket) getJSON(ctx context.Context, url string, answer any) error {
	response, err := b.send(ctx, request{method: http.MethodGet, url: url})
	if err != nil {
		return err
	}
	defer response.Body.Close() // it was only read
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("the reply is not one of Google Cloud Storage: %w", err)
	}
	return nil
}

// drain reads a reply to its end, so that its connection can be used again.
func drain(response *http.Response) error {
	_, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return errors.Join(err, response.Body.Close())
}

func sortByKey(objects []*driver.ListObject) {
	slices.SortFunc(objects, func(a, b *driver.ListObject) int { return cmp.Compare(a.Key, b.Key) })
}

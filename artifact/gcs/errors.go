package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Missing says what a reply of 404 misses.
type Missing int

// What may be missing. MissingUnknown also stands for a reply that isn't the service's, of which absence must not be believed.
const (
	MissingUnknown Missing = iota
	MissingObject
	MissingBucket
)

// Error is a reply that is not a success.
type Error struct {
	Status int
	// Message is the service's own; empty if the reply isn't one of the service's.
	Message string
	Missing Missing
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server replied %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%d: %s", e.Status, e.Message)
}

// CredentialsError means that there was no access token to be had.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return "getting an access token: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// failure makes an Error of a reply, which it closes.
func failure(response *http.Response) error {
	defer response.Body.Close() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("reading the reply: %w", err)
	}
	e := &Error{Status: response.StatusCode, Message: message(body)}
	switch {
	case e.Status != http.StatusNotFound:
	case strings.HasPrefix(e.Message, "No such object: "):
		e.Missing = MissingObject
	case e.Message == "The specified bucket does not exist.":
		e.Missing = MissingBucket
	}
	return e
}

// message finds what the service says in a reply's body. Where content was asked for, it says it in plain text.
func message(body []byte) string {
	var reply struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &reply) == nil {
		return reply.Error.Message
	}
	if text := strings.TrimSpace(string(body)); strings.HasPrefix(text, "No such object: ") {
		return text
	}
	return ""
}

// whatIsMissing finds out what a reply of 404 to a request for an object means, if it doesn't say so itself: the service
// tells that there is no such object and that there is no such bucket by the same reason.
func (b *bucket) whatIsMissing(ctx context.Context, err error) error {
	var missing *Error
	if !errors.As(err, &missing) || missing.Status != http.StatusNotFound || missing.Missing != MissingUnknown {
		return err
	}
	var reply struct {
		Kind string `json:"kind"`
	}
	asked := b.getJSON(ctx, b.objects(url.Values{"maxResults": {"1"}}), &reply)
	switch {
	case asked == nil && reply.Kind == "storage#objects":
		missing.Missing = MissingObject
		return missing
	case asked == nil:
		return err
	}
	return bucketMissing(asked)
}

// bucketMissing completes the error of a request for all objects, or for a new one: what it misses can only be the bucket.
func bucketMissing(err error) error {
	var missing *Error
	if errors.As(err, &missing) && missing.Status == http.StatusNotFound && missing.Message != "" {
		missing.Missing = MissingBucket
	}
	return err
}

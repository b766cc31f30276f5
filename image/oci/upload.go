package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// blob is something to upload.
type blob struct {
	// what is in it, for people.
	what   string
	digest string
	size   int64
	// open returns the bytes from an offset on.
	open func(ctx context.Context, from int64) (io.ReadCloser, error)
	// from is a repository of the same registry that has the blob; empty if none is known.
	from string
	// fresh says that the registry surely lacks it, so it isn't asked.
	fresh bool
}

// upload brings a blob to the repository, unless it is there. An upload that breaks goes on where it broke off, if the
// registry lets it, and begins anew if not. The registry checks the digest at the end, so half a blob never counts.
func (r *registry) upload(ctx context.Context, b blob, moved func(int64)) error {
	if !b.fresh {
		there, err := r.has(ctx, b.digest)
		if err != nil || there {
			return err
		}
	}
	s := &sending{r: r, b: b, moved: moved}
	return r.retry.persist(ctx, func() error { return s.try(ctx) }, s.advanced)
}

func (r *registry) has(ctx context.Context, digest string) (there bool, err error) {
	err = r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodHead, url: r.url("blobs", digest),
			ok: []int{http.StatusOK, http.StatusNotFound}})
		if err != nil {
			return err
		}
		defer discard(resp)
		there = resp.StatusCode == http.StatusOK
		return nil
	})
	return there, err
}

// begin starts an upload, or has the registry take the blob from another of its repositories.
func (r *registry) begin(ctx context.Context, b blob) (location string, mounted bool, err error) {
	target := r.url("blobs", "uploads") + "/"
	q := request{method: http.MethodPost, url: target, ok: []int{http.StatusAccepted, http.StatusCreated}}
	if b.from != "" {
		q.url += "?" + url.Values{"mount": {b.digest}, "from": {b.from}}.Encode()
	}
	resp, err := r.send(ctx, q)
	var status *statusError
	if b.from != "" && errors.As(err, &status) && !status.transient() {
		q.url = target
		resp, err = r.send(ctx, q)
	}
	if isMissing(err) {
		made, failed := r.create(ctx)
		if failed != nil {
			return "", false, failed
		}
		if made {
			resp, err = r.send(ctx, q)
		}
	}
	if err != nil {
		return "", false, err
	}
	defer discard(resp)
	if resp.StatusCode == http.StatusCreated {
		return "", true, nil
	}
	location = located(resp)
	if location == "" {
		return "", false, fmt.Errorf("registry %s gave no place to upload to", r.repo.RegistryStr())
	}
	return location, false, nil
}

// located is the place that an answer names to go on at; empty if it names none.
func located(resp *http.Response) string {
	next, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return ""
	}
	return resp.Request.URL.ResolveReference(next).String()
}

// putManifest makes an image visible: it comes last, so an image is whole or not there.
func (r *registry) putManifest(ctx context.Context, ref string, d document) error {
	return r.retry.do(ctx, func() error {
		resp, err := r.send(ctx, request{method: http.MethodPut, url: r.url("manifests", ref), kind: string(d.kind),
			size: int64(len(d.raw)), body: func() (io.ReadCloser, error) { return inMemory(d.raw)(ctx, 0) },
			ok: []int{http.StatusCreated, http.StatusOK, http.StatusAccepted}})
		if err != nil {
			return err
		}
		discard(resp)
		return nil
	})
}

func inMemory(data []byte) func(context.Context, int64) (io.ReadCloser, error) {
	return func(_ context.Context, from int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[from:])), nil
	}
}

// meter reports what is read.
type meter struct {
	io.ReadCloser
	moved func(int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if n > 0 {
		m.moved(int64(n))
	}
	return n, err
}

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

// upload brings a blob to the repository, unless it is there. An upload that breaks goes on where it broke off, also in a
// later process, if the registry lets it, and begins anew if not. The registry checks the digest at the end, so half a blob never counts.
func (r *registry) upload(ctx context.Context, b blob, moved func(int64)) error {
	if !b.fresh {
		there, err := r.has(ctx, b.digest)
		if err != nil || there {
			return err
		}
	}
	s := &sending{r: r, b: b, moved: moved, location: r.brokenOff(b)}
	err := r.retry.persist(ctx, func() error { return s.try(ctx) }, s.advanced)
	if err != nil && s.location != "" {
		r.breakOff(b, s.location)
	}
	return err
}

// place is where a registry keeps what it has of a blob. Whoever has it may go on with the upload, so only one process does.
type place struct {
	Location string `json:"location"`
}

// brokenOff returns where the registry takes the rest of a blob whose upload was given up; empty if there is no such place.
func (r *registry) brokenOff(b blob) string {
	var p place
	if b.size < resumable || !r.cache.take("uploads", r.uploadKey(b), &p) {
		return ""
	}
	return p.Location
}

func (r *registry) breakOff(b blob, location string) {
	if err := r.cache.save("uploads", r.uploadKey(b), place{location}); err != nil {
		r.retry.log.Debug("image cache can't be written", "error", err)
	}
}

func (r *registry) uploadKey(b blob) string { return sum(r.repo.Name() + "@" + b.digest) }

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

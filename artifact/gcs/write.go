package gcs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob/driver"

	"github.com/proa-ml/proa/internal/pause"
)

const (
	// partUnit divides the length of every part but the last.
	partUnit    = 256 << 10
	defaultPart = 8 << 20
	abortLimit  = 5 * time.Second
)

// writer implements driver.Writer. What fits into one part is sent at once, with its checksum; more goes into a resumable
// upload, whose object appears with its last part.
type writer struct {
	bucket *bucket
	ctx    context.Context //nolint:containedctx // the contract: it is the one of the whole write
	about  object
	query  url.Values
	part   int
	buffer []byte
	// session is the URL of the resumable upload; empty before the first part is sent. sent is how much the server has.
	session string
	sent    int64
	err     error
}

// NewTypedWriter implements driver.Bucket.
func (b *bucket) NewTypedWriter(ctx context.Context, key, contentType string, opts *driver.WriterOptions) (driver.Writer, error) {
	if err := before(opts.BeforeWrite); err != nil {
		return nil, err
	}
	part := defaultPart
	if opts.BufferSize > 0 {
		part = (opts.BufferSize + partUnit - 1) / partUnit * partUnit
	}
	query := url.Values{"fields": {"name,size"}}
	if opts.IfNotExist {
		query.Set("ifGenerationMatch", "0")
	}
	return &writer{
		bucket: b, ctx: ctx, query: query, part: part,
		about: object{Name: key, ContentType: contentType, Metadata: opts.Metadata},
	}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	written := 0
	for w.err == nil && written < len(p) {
		if len(w.buffer) == w.part {
			w.err = w.sendPart(false)
			continue
		}
		n := min(w.part-len(w.buffer), len(p)-written)
		w.buffer = append(w.buffer, p[written:written+n]...)
		written += n
	}
	return written, w.err
}

func (w *writer) Close() error {
	switch {
	case w.ctx.Err() != nil:
		w.err = w.ctx.Err()
	case w.err != nil:
	case w.session == "":
		w.err = w.sendWhole()
	default:
		w.err = w.sendPart(true)
	}
	if w.err != nil && w.session != "" {
		w.abort()
	}
	return w.err
}

// abort gives a resumable upload up. The server forgets it in a week by itself.
func (w *writer) abort() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortLimit)
	defer cancel()
	if response, err := w.bucket.once(ctx, request{method: http.MethodDelete, url: w.session}); err == nil {
		_ = drain(response)
	}
}

func (w *writer) url(uploadType string) string {
	w.query.Set("uploadType", uploadType)
	return w.bucket.endpoint + "/upload/storage/v1/b/" + url.PathEscape(w.bucket.name) + "/o?" + w.query.Encode()
}

// sendWhole creates the object in one request.
func (w *writer) sendWhole() error {
	sum := crc32.Checksum(w.buffer, crc32.MakeTable(crc32.Castagnoli))
	w.about.CRC32C = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
	about, err := json.Marshal(w.about)
	if err != nil {
		return fmt.Errorf("describing the object: %w", err)
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, part := range []struct {
		contentType string
		content     []byte
	}{{"application/json", about}, {w.about.ContentType, w.buffer}} {
		to, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.contentType}})
		if err == nil {
			_, err = to.Write(part.content)
		}
		if err != nil {
			return fmt.Errorf("making a request: %w", err)
		}
	}
	if err := parts.Close(); err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	header := http.Header{"Content-Type": {"multipart/related; boundary=" + parts.Boundary()}}
	response, err := w.bucket.send(w.ctx, request{method: http.MethodPost, url: w.url("multipart"), header: header, body: body.Bytes()})
	if err != nil {
		return bucketMissing(err)
	}
	return drain(response)
}

// start begins a resumable upload.
func (w *writer) start() error {
	about, err := json.Marshal(w.about)
	if err != nil {
		return fmt.Errorf("describing the object: %w", err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "X-Upload-Content-Type": {w.about.ContentType}}
	response, err := w.bucket.send(w.ctx, request{method: http.MethodPost, url: w.url("resumable"), header: header, body: about})
	if err != nil {
		return bucketMissing(err)
	}
	if w.session = response.Header.Get("Location"); w.session == "" {
		err = fmt.Errorf("the reply to the begin of an upload names no place for it")
	}
	if drained := drain(response); err == nil {
		err = drained
	}
	return err
}

// sendPart sends what is in the buffer. If the reply doesn't arrive, the server is asked what it has got.
func (w *writer) sendPart(last bool) error {
	if w.session == "" {
		if err := w.start(); err != nil {
			return err
		}
	}
	begin, end := w.sent, w.sent+int64(len(w.buffer))
	for attempt := 1; ; attempt++ {
		done, err := w.put(contentRange(w.sent, end, last), w.buffer[w.sent-begin:])
		if err != nil && worthAnother(err) && attempt < attempts {
			if err = pause.For(w.ctx, between(attempt)); err == nil {
				done, err = w.put("bytes */*", nil)
			}
		}
		switch {
		case err != nil:
			return err
		case done || !last && w.sent == end:
			w.buffer = w.buffer[:0]
			return nil
		case w.sent < begin || w.sent > end:
			return fmt.Errorf("the server lost a part of an upload: it has %d bytes, and got %d", w.sent, begin)
		case attempt == attempts:
			return &Error{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("the server takes only %d of %d bytes", w.sent, end)}
		}
	}
}

// contentRange names the bytes of a part; the last one says how long the whole is.
func contentRange(from, to int64, last bool) string {
	bytes, total := "*", "*"
	if to > from {
		bytes = fmt.Sprintf("%d-%d", from, to-1)
	}
	if last {
		total = strconv.FormatInt(to, 10)
	}
	return "bytes " + bytes + "/" + total
}

// put sends bytes to the resumable upload, and notes how much the server has. done: the object is there.
func (w *writer) put(contentRange string, content []byte) (done bool, err error) {
	header := http.Header{"Content-Range": {contentRange}, "Content-Type": {w.about.ContentType}}
	response, err := w.bucket.once(w.ctx, request{method: http.MethodPut, url: w.session, header: header, body: content})
	if err != nil {
		return false, err
	}
	if response.StatusCode != http.StatusPermanentRedirect {
		return true, drain(response)
	}
	w.sent = 0
	if _, upto, ok := strings.Cut(response.Header.Get("Range"), "-"); ok {
		last, err := strconv.ParseInt(upto, 10, 64)
		if err != nil {
			return false, fmt.Errorf("the server says it has %q of an upload", response.Header.Get("Range"))
		}
		w.sent = last + 1
	}
	return false, drain(response)
}

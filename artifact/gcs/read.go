package gcs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob/driver"
)

// reader implements driver.Reader.
type reader struct {
	io.ReadCloser
	attributes driver.ReaderAttributes
}

func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attributes }

func (r *reader) As(any) bool { return false }

// NewRangeReader implements driver.Bucket.
func (b *bucket) NewRangeReader(ctx context.Context, key string, offset, length int64, opts *driver.ReaderOptions) (driver.Reader, error) {
	if err := before(opts.BeforeRead); err != nil {
		return nil, err
	}
	if length == 0 {
		a, err := b.Attributes(ctx, key)
		if err != nil {
			return nil, err
		}
		return &reader{http.NoBody, driver.ReaderAttributes{ContentType: a.ContentType, ModTime: a.ModTime, Size: a.Size}}, nil
	}
	r := request{method: http.MethodGet, url: b.object(key, url.Values{"alt": {"media"}}), header: http.Header{}}
	switch {
	case length > 0:
		r.header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		r.header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := b.send(ctx, r)
	if err != nil {
		return nil, b.whatIsMissing(ctx, err)
	}
	return &reader{response.Body, readerAttributes(response)}, nil
}

func readerAttributes(response *http.Response) driver.ReaderAttributes {
	a := driver.ReaderAttributes{ContentType: response.Header.Get("Content-Type"), Size: response.ContentLength}
	if _, whole, ok := strings.Cut(response.Header.Get("Content-Range"), "/"); ok {
		if size, err := strconv.ParseInt(whole, 10, 64); err == nil {
			a.Size = size
		}
	}
	if modified, err := http.ParseTime(response.Header.Get("Last-Modified")); err == nil {
		a.ModTime = modified
	} else {
		a.ModTime = time.Unix(0, 0)
	}
	return a
}

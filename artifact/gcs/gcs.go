// Package gcs is a driver of gocloud.dev/blob for Google Cloud Storage, over its JSON API.
//
// Google's own client brings a second transport and twenty megabytes, which every container of a step would have to carry;
// this one does what a store of artifacts needs: read, write (at once or in resumable parts, unless the object exists),
// list, describe and delete objects. Copies and signed URLs are not supported.
package gcs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
	"golang.org/x/oauth2"
)

// Endpoint is where Google's service is.
const Endpoint = "https://storage.googleapis.com"

// Scope is what access tokens are for.
const Scope = "https://www.googleapis.com/auth/devstorage.read_write"

// Options tune a bucket. The zero value is Google's service without credentials.
type Options struct {
	// Endpoint is the service's URL, without a path.
	Endpoint string
	// Tokens gives access tokens; nil means that requests carry none.
	Tokens oauth2.TokenSource
	// Client sends the requests; nil means http.DefaultClient.
	Client *http.Client
}

// OpenBucket makes a bucket of the given name. It contacts nothing.
func OpenBucket(name string, opts *Options) *blob.Bucket {
	if opts == nil {
		opts = &Options{}
	}
	client := http.Client{}
	if opts.Client != nil {
		client = *opts.Client
	}
	// A reply of 308 asks for the rest of an upload, and a token goes to nobody but the service.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	endpoint := strings.TrimSuffix(opts.Endpoint, "/")
	if endpoint == "" {
		endpoint = Endpoint
	}
	return blob.NewBucket(&bucket{name: name, endpoint: endpoint, tokens: opts.Tokens, client: &client})
}

// bucket implements driver.Bucket.
type bucket struct {
	name, endpoint string
	tokens         oauth2.TokenSource
	client         *http.Client
}

var _ driver.Bucket = (*bucket)(nil)

var errUnsupported = errors.New("this is not supported")

// object is what the service says of an object.
type object struct {
	Name        string            `json:"name"`
	ContentType string            `json:"contentType,omitempty"`
	Size        string            `json:"size,omitempty"`
	Updated     time.Time         `json:"updated,omitzero"`
	Created     time.Time         `json:"timeCreated,omitzero"`
	ETag        string            `json:"etag,omitempty"`
	CRC32C      string            `json:"crc32c,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

func (o object) size() int64 {
	size, err := strconv.ParseInt(o.Size, 10, 64)
	if err != nil {
		return -1 // no object has it
	}
	return size
}

// objects is the URL of all objects, and object that of one.
func (b *bucket) objects(query url.Values) string {
	return b.endpoint + "/storage/v1/b/" + url.PathEscape(b.name) + "/o?" + query.Encode()
}

func (b *bucket) object(key string, query url.Values) string {
	return b.endpoint + "/storage/v1/b/" + url.PathEscape(b.name) + "/o/" + url.PathEscape(key) + "?" + query.Encode()
}

// Attributes implements driver.Bucket.
func (b *bucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	var o object
	if err := b.getJSON(ctx, b.object(key, nil), &o); err != nil {
		return nil, b.whatIsMissing(ctx, err)
	}
	return &driver.Attributes{
		ContentType: o.ContentType, Metadata: o.Metadata, CreateTime: o.Created, ModTime: o.Updated, Size: o.size(), ETag: o.ETag,
	}, nil
}

// ListPaged implements driver.Bucket.
func (b *bucket) ListPaged(ctx context.Context, opts *driver.ListOptions) (*driver.ListPage, error) {
	if err := before(opts.BeforeList); err != nil {
		return nil, err
	}
	query := url.Values{"fields": {"nextPageToken,prefixes,items(name,size,updated)"}}
	for name, value := range map[string]string{"prefix": opts.Prefix, "delimiter": opts.Delimiter, "pageToken": string(opts.PageToken)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if opts.PageSize > 0 {
		query.Set("maxResults", strconv.Itoa(opts.PageSize))
	}
	var reply struct {
		NextPageToken string   `json:"nextPageToken"`
		Prefixes      []string `json:"prefixes"`
		Items         []object `json:"items"`
	}
	if err := b.getJSON(ctx, b.objects(query), &reply); err != nil {
		return nil, bucketMissing(err)
	}
	page := &driver.ListPage{NextPageToken: []byte(reply.NextPageToken)}
	for _, prefix := range reply.Prefixes {
		page.Objects = append(page.Objects, &driver.ListObject{Key: prefix, IsDir: true})
	}
	for _, o := range reply.Items {
		page.Objects = append(page.Objects, &driver.ListObject{Key: o.Name, ModTime: o.Updated, Size: o.size()})
	}
	sortByKey(page.Objects)
	return page, nil
}

// Delete implements driver.Bucket.
func (b *bucket) Delete(ctx context.Context, key string, opts *driver.DeleteOptions) error {
	if err := before(opts.BeforeDelete); err != nil {
		return err
	}
	response, err := b.send(ctx, request{method: http.MethodDelete, url: b.object(key, nil)})
	if err != nil {
		return b.whatIsMissing(ctx, err)
	}
	return drain(response)
}

// before calls a hook of the portable type, for which there is nothing to show here.
func before(hook func(func(any) bool) error) error {
	if hook == nil {
		return nil
	}
	return hook(func(any) bool { return false })
}

// ErrorCode implements driver.Bucket.
func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	var failure *Error
	switch {
	case errors.Is(err, errUnsupported):
		return gcerrors.Unimplemented
	case !errors.As(err, &failure):
		return gcerrors.Unknown
	case failure.Missing == MissingObject:
		return gcerrors.NotFound
	case failure.Status == http.StatusPreconditionFailed:
		return gcerrors.FailedPrecondition
	case failure.Status == http.StatusUnauthorized, failure.Status == http.StatusForbidden:
		return gcerrors.PermissionDenied
	}
	return gcerrors.Unknown
}

// As implements driver.Bucket.
func (b *bucket) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (b *bucket) ErrorAs(err error, i any) bool {
	if target, ok := i.(**Error); ok {
		return errors.As(err, target)
	}
	return false
}

// Copy implements driver.Bucket.
func (b *bucket) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return errUnsupported
}

// SignedURL implements driver.Bucket.
func (b *bucket) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errUnsupported
}

// Close implements driver.Bucket.
func (b *bucket) Close() error {
	b.client.CloseIdleConnections()
	return nil
}

package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Tail returns the last bytes of an object, at most that many, and the size of the whole. ErrNotFound if there is none.
func (s *Store) Tail(ctx context.Context, key string, most int64) (data []byte, size int64, err error) {
	if err := checkKey(key); err != nil {
		return nil, 0, err
	}
	doing := fmt.Sprintf("reading the end of %q", key)
	attributes, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return nil, 0, s.wrap(ctx, doing, err)
	}
	begin := max(attributes.Size-most, 0)
	r, err := s.bucket.NewRangeReader(ctx, key, begin, attributes.Size-begin, nil)
	if err != nil {
		return nil, 0, s.wrap(ctx, doing, err)
	}
	data, err = io.ReadAll(r)
	return data, attributes.Size, s.wrap(ctx, doing, errors.Join(err, r.Close()))
}

// Head returns the first bytes of a file of an artifact, at most that many. Unlike all of it, they aren't checked against
// the file's digest.
func (s *Store) Head(ctx context.Context, digest string, most int64) ([]byte, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("reading the beginning of %q", key)
	r, err := s.bucket.NewRangeReader(ctx, key, 0, most, nil)
	if err != nil {
		return nil, s.wrap(ctx, doing, err)
	}
	data, err := io.ReadAll(r)
	return data, s.wrap(ctx, doing, errors.Join(err, r.Close()))
}

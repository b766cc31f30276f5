package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

const (
	contentType = "application/octet-stream"
	// writerField is the object's metadata that names who created it with PutNew.
	writerField = "proa-writer"
	// tempSuffix marks files of a file store that are still being written.
	tempSuffix = ".tmp"
	// conflicts is how often a conditional write is repeated that lost a race which nobody won yet.
	conflicts = 5
)

// checkKey refuses keys that some store would have to alter.
func checkKey(key string) error {
	bad := !utf8.ValidString(key) || len(key) > 1000 || strings.Contains(key, "__0x") || strings.HasSuffix(key, tempSuffix)
	for part := range strings.SplitSeq(key, "/") {
		bad = bad || part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool { return r < 32 || r == '\\' })
	}
	if bad {
		return fmt.Errorf("%q can't be a key: it must be a clean relative path of at most 1000 bytes", key)
	}
	return nil
}

// Put stores an object, replacing one that exists.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	return s.PutStream(ctx, key, bytes.NewReader(data))
}

// PutStream stores an object from a stream. It becomes visible when the stream has ended well, and not at all otherwise.
func (s *Store) PutStream(ctx context.Context, key string, r io.Reader) error {
	return s.upload(ctx, key, r, &blob.WriterOptions{ContentType: contentType, MaxConcurrency: uploadConcurrency})
}

// PutFile stores a file of this machine under a key that stands for its content, unless it is there already.
func (s *Store) PutFile(ctx context.Context, key, file string) (err error) {
	if err := checkKey(key); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading what is to be stored: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading what is to be stored: %w", err)
	}
	there, err := s.lasts(ctx, key, info.Size())
	if err != nil || there {
		return err
	}
	return s.PutStream(ctx, key, f)
}

func (s *Store) upload(ctx context.Context, key string, r io.Reader, opts *blob.WriterOptions) error {
	if err := checkKey(key); err != nil {
		return err
	}
	source := &sourceReader{Reader: r}
	abort, cancel := context.WithCancel(ctx)
	defer cancel()
	source.failed = cancel
	err := s.bucket.Upload(abort, key, source, opts)
	if source.err != nil {
		return source.err
	}
	return s.wrap(ctx, fmt.Sprintf("writing %q", key), err)
}

// sourceReader remembers the error of what is read, to tell it from the store's, and has the write given up on it.
type sourceReader struct {
	io.Reader
	failed func()
	err    error
}

func (r *sourceReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
		r.failed()
	}
	return n, err
}

// PutNew stores an object unless one exists under the key. Of all that try, in whatever process, exactly one is told
// that it created the object. A call repeated through the same Store with equal data, after the answer to the first was
// lost, may be told so again.
func (s *Store) PutNew(ctx context.Context, key string, data []byte) (created bool, err error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	doing := fmt.Sprintf("creating %q", key)
	if s.root != "" {
		created, err := putNewFile(filepath.Join(s.root, filepath.FromSlash(key)), data)
		return created, s.wrap(ctx, doing, err)
	}
	sum := sha256.Sum256(data)
	writer := s.writer + hex.EncodeToString(sum[:8])
	opts := &blob.WriterOptions{ContentType: contentType, IfNotExist: true, Metadata: map[string]string{writerField: writer}}
	for range conflicts {
		err = s.bucket.Upload(ctx, key, bytes.NewReader(data), opts)
		if !isConflict(err) {
			break
		}
	}
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		// Either somebody else's, or our own: the first reply was lost and the request sent again.
		attributes, err := s.bucket.Attributes(ctx, key)
		if err != nil {
			return false, s.wrap(ctx, doing, err)
		}
		return attributes.Metadata[writerField] == writer, nil
	}
	return err == nil, s.wrap(ctx, doing, err)
}

// putNewFile links a finished file to its name: an existing name makes that fail, and nobody sees half a file.
func putNewFile(path string, data []byte) (created bool, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	temp, err := os.CreateTemp(dir, "new-*"+tempSuffix)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return false, err
	}
	err = os.Link(temp.Name(), path)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// Get returns an object's content. ErrNotFound if there is none.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	r, err := s.Reader(ctx, key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return data, nil
}

// Reader opens an object for reading. ErrNotFound if there is none.
func (s *Store) Reader(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	r, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, s.wrap(ctx, fmt.Sprintf("reading %q", key), err)
	}
	return &objectReader{Reader: r, wrap: func(err error) error { return s.wrap(ctx, fmt.Sprintf("reading %q", key), err) }}, nil
}

// objectReader tells the kind of errors that come up in the middle of an object.
type objectReader struct {
	*blob.Reader
	wrap func(error) error
}

func (r *objectReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.wrap(err)
	}
	return n, err
}

// WriteTo hides the embedded one, whose errors would have no kind.
func (r *objectReader) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}

// Delete removes an object. Removing one that doesn't exist succeeds.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := s.wrap(ctx, fmt.Sprintf("deleting %q", key), s.bucket.Delete(ctx, key))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List returns the keys that start with prefix, sorted.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := s.Walk(ctx, prefix, func(o Object) error {
		if !o.Partial {
			keys = append(keys, o.Key)
		}
		return nil
	})
	slices.Sort(keys)
	return keys, err
}

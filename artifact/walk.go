package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
)

// Object is one object of a store, as a listing shows it.
type Object struct {
	Key  string
	Size int64
	// Modified is when it was written last, by the store's clock.
	Modified time.Time
	// Partial says that it is a file that somebody is writing, or was when he was killed. Only a folder has such.
	Partial bool
}

// Walk calls visit for every object whose key starts with prefix. It reads the listing page by page, so it needs little
// memory whatever the store holds. Objects that come or go meanwhile may be visited or not.
func (s *Store) Walk(ctx context.Context, prefix string, visit func(Object) error) error {
	if s.root != "" {
		return s.walkFolder(ctx, prefix, visit)
	}
	objects := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.wrap(ctx, fmt.Sprintf("listing %q", prefix), err)
		}
		object := Object{Key: o.Key, Size: o.Size, Modified: o.ModTime, Partial: strings.HasSuffix(o.Key, tempSuffix)}
		if err := visit(object); err != nil {
			return err
		}
	}
}

// walkFolder is Walk for a folder, in which files may vanish while it is read.
func (s *Store) walkFolder(ctx context.Context, prefix string, visit func(Object) error) error {
	begin := s.root
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		begin = filepath.Join(s.root, filepath.FromSlash(prefix[:i]))
	}
	return filepath.WalkDir(begin, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		var info fs.FileInfo
		if err == nil && !entry.IsDir() {
			info, err = entry.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return s.wrap(ctx, fmt.Sprintf("listing %q", prefix), err)
		case entry.IsDir():
			return nil
		}
		name, err := filepath.Rel(s.root, path)
		if err != nil {
			return s.wrap(ctx, fmt.Sprintf("listing %q", prefix), err)
		}
		key := unescaped(filepath.ToSlash(name))
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		return visit(Object{Key: key, Size: info.Size(), Modified: info.ModTime(), Partial: strings.HasSuffix(key, tempSuffix)})
	})
}

// unescaped is the key of a file's name: letters that not every system can have in names are written as __0x2f__.
func unescaped(name string) string {
	before, rest, found := strings.Cut(name, "__0x")
	digits, after, ended := strings.Cut(rest, "__")
	if !found || !ended {
		return name
	}
	letter, err := strconv.ParseInt(digits, 16, 32)
	if err != nil {
		return name
	}
	return before + string(rune(letter)) + unescaped(after)
}

// DeleteOld removes an object unless it was written after the given time, and reports whether it did. It looks again: the
// listing may be old. Removing what isn't there is no error.
func (s *Store) DeleteOld(ctx context.Context, o Object, limit time.Time) (bool, error) {
	if o.Partial {
		return s.deletePartial(ctx, o, limit)
	}
	attributes, err := s.bucket.Attributes(ctx, o.Key)
	if err != nil {
		err = s.wrap(ctx, fmt.Sprintf("looking for %q", o.Key), err)
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return false, err
	}
	if attributes.ModTime.After(limit) {
		return false, nil
	}
	return true, s.Delete(ctx, o.Key)
}

func (s *Store) deletePartial(ctx context.Context, o Object, limit time.Time) (bool, error) {
	path := filepath.Join(s.root, filepath.FromSlash(o.Key))
	info, err := os.Stat(path)
	if s.root == "" || errors.Is(err, os.ErrNotExist) || err == nil && info.ModTime().After(limit) {
		return false, nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	return err == nil, s.wrap(ctx, fmt.Sprintf("deleting %q", o.Key), err)
}

// Lasting is how long what a writer found in a store is taken to stay there. What is older is written again, or made to
// look so, since somebody may be about to remove what nobody has needed for some time. So who removes what is old leaves
// what is younger than a few times this.
const Lasting = 6 * time.Hour

// lasts reports whether an object is there with that size, and will be.
func (s *Store) lasts(ctx context.Context, key string, size int64) (bool, error) {
	is, written, err := s.sized(ctx, key, size)
	if err != nil || !is {
		return false, err
	}
	now := s.now()
	switch {
	case written.After(now.Add(-Lasting)):
		return true, nil
	case s.root == "":
		return false, nil
	}
	err = os.Chtimes(filepath.Join(s.root, filepath.FromSlash(key)), now, now)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, s.wrap(ctx, fmt.Sprintf("renewing %q", key), err)
}

package oci

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// keep is how long a cached file stays without being used.
const keep = 30 * 24 * time.Hour

// store is the cache folder. Every file in it is complete: it is written elsewhere and renamed, so processes need no
// locks, and what is missing or damaged is made again.
type store struct {
	dir string
	now func() time.Time
}

func (s *store) blobPath(digest string) string {
	return filepath.Join(s.dir, "blobs", filepath.Base(filepath.Clean(replaceColon(digest))))
}

func replaceColon(digest string) string {
	out := []byte(digest)
	for i := range out {
		if out[i] == ':' {
			out[i] = '-'
		}
	}
	return string(out)
}

// temp makes a folder for work in progress, on the cache's file system so that results can be renamed into place.
func (s *store) temp() (dir string, remove func(), err error) {
	parent := filepath.Join(s.dir, "tmp")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, fmt.Errorf("making the image cache: %w", err)
	}
	dir, err = os.MkdirTemp(parent, "build-")
	if err != nil {
		return "", nil, fmt.Errorf("making the image cache: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// addBlob moves a finished layer file into the cache and returns the layer at its new place.
func (s *store) addBlob(l layer) (layer, error) {
	path := s.blobPath(l.Digest.String())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return layer{}, fmt.Errorf("keeping a layer: %w", err)
	}
	if err := os.Rename(l.path, path); err != nil {
		return layer{}, fmt.Errorf("keeping a layer: %w", err)
	}
	l.path = path
	return l, nil
}

// find fills in the path of a layer if its file is here and whole.
func (s *store) find(l layer) (layer, bool) {
	path := s.blobPath(l.Digest.String())
	info, err := os.Stat(path)
	if err != nil || info.Size() != l.Size {
		return l, false
	}
	s.touch(path)
	l.path = path
	return l, true
}

func (s *store) touch(path string) {
	now := s.now()
	_ = os.Chtimes(path, now, now)
}

// load reads a record; false if there is none or it is damaged.
func (s *store) load(kind, key string, v any) bool {
	path := filepath.Join(s.dir, kind, key+".json")
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, v) != nil {
		return false
	}
	s.touch(path)
	return true
}

// take reads a record and removes it: of several that want it, one gets it.
func (s *store) take(kind, key string, v any) bool {
	return s.load(kind, key, v) && os.Remove(filepath.Join(s.dir, kind, key+".json")) == nil
}

// save writes a record. Callers may ignore the error: a cache that can't be written costs time, not results.
func (s *store) save(kind, key string, v any) error {
	dir := filepath.Join(s.dir, kind)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, key+".json"))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// age removes what was not used for a long time, and remains of processes that were killed.
func (s *store) age() {
	for _, kind := range []string{"blobs", "environments", "bases", "entries", "groups", "pushed", "attached", "sums", "uploads"} {
		s.removeOlder(filepath.Join(s.dir, kind), keep)
	}
	s.removeOlder(filepath.Join(s.dir, "tmp"), 24*time.Hour)
}

func (s *store) removeOlder(dir string, age time.Duration) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		var info fs.FileInfo
		if info, err = e.Info(); err == nil && s.now().Sub(info.ModTime()) > age {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

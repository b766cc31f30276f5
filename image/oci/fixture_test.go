package oci_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

// pushBase puts a base image of three random layers into a registry.
func pushBase(t *testing.T, ref, platform string, env ...string) v1.Image {
	t.Helper()
	img, err := random.Image(2048, 3)
	check(t, err)
	img = mutate.MediaType(img, types.OCIManifestSchema1)
	config, err := img.ConfigFile()
	check(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture, _ = strings.Cut(platform, "/")
	config.Config.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, env...)
	img, err = mutate.ConfigFile(img, config)
	check(t, err)
	parsed, err := name.ParseReference(ref)
	check(t, err)
	check(t, remote.Write(parsed, img))
	return img
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quick is a builder whose retries don't wait, with a cache of its own.
func quick(t *testing.T, o oci.Options) *oci.Builder {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = t.TempDir()
	}
	o.Backoff = time.Microsecond
	b, err := oci.New(oci.Config{}, &o)
	check(t, err)
	return b
}

// recorder keeps what a builder told.
type recorder struct {
	mu    sync.Mutex
	lines []string
	// stays are the phases and notes, which are lines in a log.
	stays []string
}

func (r *recorder) Phase(s string) { r.Note(s) }
func (r *recorder) Note(s string) {
	r.Detail(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stays = append(r.stays, s)
}
func (r *recorder) Detail(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, s)
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for file, content := range files {
		write(t, filepath.Join(root, file), content)
	}
	return root
}

func write(t *testing.T, file, content string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte(content), 0o644))
}

// pull reads an image back from its registry.
func pull(t *testing.T, ref string) v1.Image {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	check(t, err)
	img, err := remote.Image(parsed)
	check(t, err)
	return img
}

// entries lists what our layers hold: those after the base's.
func entries(t *testing.T, img v1.Image, skip int) map[string]*tar.Header {
	t.Helper()
	layers, err := img.Layers()
	check(t, err)
	out := map[string]*tar.Header{}
	for _, l := range layers[skip:] {
		rc, err := l.Uncompressed()
		check(t, err)
		r := tar.NewReader(rc)
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			out[h.Name] = h
		}
		check(t, rc.Close())
	}
	return out
}

// unpack writes the files of our layers below a folder.
func unpack(t *testing.T, img v1.Image, skip int) string {
	t.Helper()
	root := t.TempDir()
	layers, err := img.Layers()
	check(t, err)
	for _, l := range layers[skip:] {
		rc, err := l.Uncompressed()
		check(t, err)
		r := tar.NewReader(rc)
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			if h.Typeflag != tar.TypeReg {
				continue
			}
			data, err := io.ReadAll(r)
			check(t, err)
			write(t, filepath.Join(root, h.Name), string(data))
			check(t, os.Chmod(filepath.Join(root, h.Name), h.FileInfo().Mode()))
		}
		check(t, rc.Close())
	}
	return root
}

// python finds a Python to compile with, and its minor version.
func python(t *testing.T) (interpreter, minor string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", "-c",
		"import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		testbed.Missing(t, "no python3 on the PATH")
	}
	fields := strings.Fields(string(out))
	return fields[0], fields[1]
}

// request is one for a base on the registry, without requirements.
func request(s *server, code string) driver.Request {
	return driver.Request{Repository: s.host + "/team/proa", Tag: "digits", Base: s.host + "/library/python:3-slim",
		Platform: "linux/amd64", Code: code}
}

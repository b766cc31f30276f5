package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

const (
	// inlineFile and inlineTotal bound what a manifest holds itself.
	inlineFile  = 4 << 10
	inlineTotal = 64 << 10
	// uploadConcurrency is how many parts of one big file are sent at once. uploadMemory bounds the buffers of all
	// uploads together; one big file takes at most uploadWeight of them. A step's memory is the user's.
	uploadConcurrency = 2
	uploadMemory      = 48 << 20
	uploadWeight      = 40 << 20
	// uploadParts is the number of parts a file may have; bigger files get bigger parts.
	uploadParts = 9000
	uploadPart  = 8 << 20
)

// Save stores the folder dir as an artifact. The folder must not change meanwhile. Saving an equal folder again gives an
// equal artifact and uploads nothing but the manifest.
func (s *Store) Save(ctx context.Context, dir, typ, materializer, preview string) (step.Artifact, error) {
	a, err := s.save(ctx, dir, step.Manifest{APIVersion: spec.APIVersion, Type: typ, Materializer: materializer, Preview: preview})
	if err != nil {
		return step.Artifact{}, fmt.Errorf("saving the folder %s: %w", dir, err)
	}
	return a, nil
}

func (s *Store) save(ctx context.Context, dir string, m step.Manifest) (step.Artifact, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return step.Artifact{}, err
	}
	defer root.Close() // it was only read
	if m.Files, err = scan(ctx, root); err != nil {
		return step.Artifact{}, err
	}
	if err := s.uploadFiles(ctx, root, m.Files); err != nil {
		return step.Artifact{}, err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return step.Artifact{}, fmt.Errorf("encoding the manifest: %w", err)
	}
	a := step.Artifact{Digest: digestOf(data), Type: m.Type, Materializer: m.Materializer, Preview: m.Preview}
	for _, f := range m.Files {
		a.Size += f.Size
	}
	key, err := BlobKey(a.Digest)
	if err != nil {
		return step.Artifact{}, err
	}
	return a, s.Put(ctx, key, data)
}

// scan lists the files of root, sorted, with their digests, and puts small ones inline.
func scan(ctx context.Context, root *os.Root) ([]step.File, error) {
	files, err := walk(root)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b step.File) int { return strings.Compare(a.Path, b.Path) })
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range files {
		if !files[i].Dir {
			group.Go(func() error { return describe(gctx, root, &files[i]) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	room := int64(inlineTotal)
	for i := range files {
		if room -= int64(len(files[i].Inline)); room < 0 {
			files[i].Inline = nil
		}
	}
	return files, nil
}

// walk lists the files and the empty folders of root. Links to files in root are followed.
func walk(root *os.Root) ([]step.File, error) {
	var files []step.File
	filled := map[string]bool{".": true}
	err := fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if parent := strings.LastIndexByte(path, '/'); parent > 0 {
			filled[path[:parent]] = true
		}
		if !validPath(path) {
			return fmt.Errorf("it holds a file named %q, which not every system can store", path)
		}
		if entry.IsDir() {
			files = append(files, step.File{Path: path, Dir: true})
			return nil
		}
		info, err := root.Stat(path)
		if err != nil {
			return fmt.Errorf("%q can't be read from inside the folder: %w", path, err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%q is a %s; only files and folders can be stored", path, kindOfFile(entry.Type()))
		}
		files = append(files, step.File{Path: path, Size: info.Size(), Executable: info.Mode()&0o100 != 0})
		return nil
	})
	return slices.DeleteFunc(files, func(f step.File) bool { return f.Dir && filled[f.Path] }), err
}

func kindOfFile(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "link to a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// describe fills in a file's digest and, if it is small, its content.
func describe(ctx context.Context, root *os.Root, f *step.File) error {
	file, err := root.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	var small bytes.Buffer
	sum := newSum(file)
	var to io.Writer = io.Discard
	if f.Size <= inlineFile {
		to = &small
	}
	n, err := io.Copy(to, contextReader{ctx, sum})
	if err != nil {
		return err
	}
	if n != f.Size {
		return fmt.Errorf("%q changed while it was read", f.Path)
	}
	f.Digest, f.Inline = sum.digest(), small.Bytes()
	return nil
}

// contextReader ends when its context does. It lives for one call only.
type contextReader struct {
	ctx context.Context //nolint:containedctx // it lives for one call
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// uploadFiles stores the blobs that aren't there yet.
func (s *Store) uploadFiles(ctx context.Context, root *os.Root, files []step.File) error {
	memory := semaphore.NewWeighted(uploadMemory)
	seen := map[string]bool{}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel)
	for _, f := range files {
		if !hasBlob(f) || seen[f.Digest] {
			continue
		}
		seen[f.Digest] = true
		group.Go(func() error {
			weight := min(f.Size, uploadWeight)
			if err := memory.Acquire(gctx, weight); err != nil {
				return err
			}
			defer memory.Release(weight)
			return s.uploadFile(gctx, root, f)
		})
	}
	return group.Wait()
}

func (s *Store) uploadFile(ctx context.Context, root *os.Root, f step.File) error {
	key, err := BlobKey(f.Digest)
	if err != nil {
		return err
	}
	found, err := s.lasts(ctx, key, f.Size)
	if err != nil || found {
		return err
	}
	file, err := root.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	opts := &blob.WriterOptions{ContentType: contentType, MaxConcurrency: uploadConcurrency}
	if f.Size > uploadParts*uploadPart {
		opts.BufferSize = int(f.Size/uploadParts) + 1
	}
	err = s.upload(ctx, key, verify(file, f.Digest), opts)
	if errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%q changed while it was saved", f.Path)
	}
	return err
}

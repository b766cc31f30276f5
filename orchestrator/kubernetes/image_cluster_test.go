package kubernetes

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var buildOnce struct {
	sync.Once
	ref string
	err error
}

// testImage builds the test's program, pushes it, and returns the image's reference by digest.
func testImage(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		dir := t.TempDir()
		buildOnce.ref, buildOnce.err = pushImage(t.Context(), dir, map[string]string{launcherPath: "./testdata/program"})
	})
	if buildOnce.err != nil {
		t.Fatal(buildOnce.err)
	}
	return buildOnce.ref
}

// pushImage builds Go programs and pushes an image that holds them at the given paths and runs the launcher.
func pushImage(ctx context.Context, dir string, programs map[string]string) (string, error) {
	image := empty.Image
	for path, source := range programs {
		binary := filepath.Join(dir, filepath.Base(path))
		build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", binary, source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if out, err := build.CombinedOutput(); err != nil {
			return "", &exec.Error{Name: string(out), Err: err}
		}
		layer, err := fileLayer(path, binary)
		if err != nil {
			return "", err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return "", err
		}
	}
	image, err := mutate.Config(image, v1.Config{Entrypoint: []string{launcherPath}})
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	ref, err := name.NewDigest(os.Getenv("PROA_TEST_REGISTRY")+"/proa-test/kubernetes@"+digest.String(), name.Insecure)
	if err != nil {
		return "", err
	}
	return ref.String(), remote.Write(ref, image, remote.WithContext(ctx))
}

func fileLayer(path, file string) (v1.Layer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: path[1:], Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
}

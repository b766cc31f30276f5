package oci

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestWriteIsReproducible: the same files make the same image, whenever and wherever they lie.
func TestWriteIsReproducible(t *testing.T) {
	var manifests []string
	for range 2 {
		root, dir := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "file"), []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("file", filepath.Join(root, "link")); err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, root, Config{Entrypoint: []string{"/file"}}); err != nil {
			t.Fatal(err)
		}
		manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, string(manifest))
		time.Sleep(10 * time.Millisecond)
	}
	if manifests[0] != manifests[1] {
		t.Errorf("two images of the same files:\n%s\n%s", manifests[0], manifests[1])
	}
}

// TestLayerKeepsCapabilities: a program that has rights of its own has them in the image, too.
func TestLayerKeepsCapabilities(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	path := filepath.Join(root, "program")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	right := string([]byte{1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	if err := syscall.Setxattr(path, Capability, []byte(right), 0); err != nil {
		t.Skipf("giving a file a capability needs root: %v", err)
	}
	if _, err := writeLayer(filepath.Join(dir, layerFile), root); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, layerFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	header, err := tar.NewReader(plain).Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := header.PAXRecords["SCHILY.xattr."+Capability]; got != right {
		t.Errorf("got %q", got)
	}
}

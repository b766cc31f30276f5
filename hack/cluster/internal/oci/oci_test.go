package oci

import (
	"os"
	"path/filepath"
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

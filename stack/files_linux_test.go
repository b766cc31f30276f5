package stack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/proa-ml/proa/internal/testbed"
)

// disk mounts a file system of its own: root ignores modes, so that only a real one is full or read-only for everybody.
func disk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		testbed.Missing(t, "mounting a file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func add(name string) func(*Config) error {
	return func(c *Config) error {
		return c.AddComponent(Component{Kind: Orchestrator, Name: name, Flavor: "local"})
	}
}

// TestFullAndReadOnlyDisk sees that what was registered before survives, and that nothing half-written is left.
func TestFullAndReadOnlyDisk(t *testing.T) {
	files := Files{Dir: disk(t, "64k"), BuiltIn: builtIn()}
	if err := files.Update(add("first")); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(files.Dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk isn't full: %v", err)
	}
	mustRefuse(t, files, "no space left on device", "free some space")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", files.Dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, files, "read-only file system", "PROA_CONFIG_DIR")
}

func mustRefuse(t *testing.T, files Files, text, hint string) {
	t.Helper()
	err := files.Update(add("second"))
	var mistake *Error
	if !errors.As(err, &mistake) || !strings.Contains(mistake.Text, text) || !strings.Contains(mistake.Text, files.Dir) || !strings.Contains(mistake.Hint, hint) {
		t.Errorf("got %v with %+v, want %q and the hint %q", err, mistake, text, hint)
	}
	config, err := files.Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Component(Orchestrator, "first"); err != nil {
		t.Error(err)
	}
	if _, err := config.Component(Orchestrator, "second"); err == nil {
		t.Error("it is there all the same")
	}
	left, err := filepath.Glob(filepath.Join(files.Dir, ".tmp-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

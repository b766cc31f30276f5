package oci_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

// childEnv makes this test program a builder, which builds what the variable says.
const childEnv = "PROA_TEST_CHILD_BUILDS"

// child is one build in a process of its own.
type child struct {
	Request driver.Request
	Options struct {
		CacheDir string
		Env      []string
	}
	// Disk is how large a file system there is for the cache, in bytes, if it has one of its own.
	Disk int64
}

func TestMain(m *testing.M) {
	text := os.Getenv(childEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := runChild(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	if c.Disk > 0 { // the mount goes with this process, whose mounts are its own
		if err := syscall.Mount("tmpfs", c.Options.CacheDir, "tmpfs", 0, fmt.Sprintf("size=%d", c.Disk)); err != nil {
			return fmt.Errorf("mounting a small disk: %w", err)
		}
	}
	b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: c.Options.CacheDir, Env: c.Options.Env})
	if err != nil {
		return err
	}
	if _, err = b.Build(context.Background(), c.Request, nil); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	fmt.Println(string(status))
	return err
}

// start makes the command that builds in a process of its own.
func (c child) command(t *testing.T) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	text, err := json.Marshal(c)
	check(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// needRoot says why a test can't be, if this user may not do what it takes.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		testbed.Missing(t, "this takes root, who may mount file systems and be somebody else")
	}
}

// open makes a folder one that every user may enter, from its root on.
func open(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		check(t, os.Chmod(dir, 0o777))
	}
}

package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Base is a root directory with Python in it.
type Base struct {
	Root    string
	Version string // of Python: 3.11.2
}

// pythonPackages are the whole standard library; Python 3.12 and later have no distutils. The libraries among the base packages are
// what the wheels of numpy and its like expect of a system. A Dockerfile that goes on from here uses pip and apt, which the
// official images have.
func pythonPackages() (packages, optional []string) {
	return []string{"python3", "python3-pip", "apt", "dpkg", "tar", "diffutils"}, []string{"python3-distutils"}
}

// BaseRecipe is a text that changes when the Python image does.
func BaseRecipe() string {
	packages, optional := pythonPackages()
	return recipe("recipe 3", append(append(basePackages(), packages...), optional...)...)
}

// NewBase makes the root of the Python base image in the directory work, which must be empty.
func (a *Apt) NewBase(ctx context.Context, work string) (Base, error) {
	packages, optional := pythonPackages()
	root, err := a.newRoot(ctx, work, packages, optional)
	if err != nil {
		return Base{}, err
	}
	if err := linkPython(root); err != nil {
		return Base{}, fmt.Errorf("naming Python in the base image: %w", err)
	}
	version, err := compile(ctx, root)
	if err != nil {
		return Base{}, fmt.Errorf("compiling Python's standard library in the base image: %w", err)
	}
	return Base{Root: root, Version: version}, nil
}

// linkPython gives Python the names that it has in the official images.
func linkPython(root string) error {
	for _, name := range []string{"usr/bin/python", "usr/local/bin/python", "usr/local/bin/python3"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("/usr/bin/python3", path); err != nil {
			return err
		}
	}
	return nil
}

// compile writes the byte code of the standard library, which an installed Debian has too, and returns Python's version.
// The byte code is not checked against the sources' times, since an image's times mean nothing.
func compile(ctx context.Context, root string) (version string, err error) {
	const script = `import compileall, os, platform, sys
from py_compile import PycInvalidationMode as Mode
compileall.compile_dir(os.path.dirname(os.__file__), quiet=2, invalidation_mode=Mode.UNCHECKED_HASH)
print(platform.python_version())`
	output, err := exec.CommandContext(ctx, "chroot", root, "/usr/bin/python3", "-c", script).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(output))
	}
	return strings.TrimSpace(string(output)), nil
}

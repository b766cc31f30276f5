// Package pyenv finds the user's Python, and what is installed in its environment.
package pyenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
)

// Find finds the interpreter: PROA_PYTHON, that of the active virtual environment, or the first on the PATH.
func Find(k *kit.Kit) (string, error) {
	if given := k.Env("PROA_PYTHON"); given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fault.New(fault.Usage, "set PROA_PYTHON to a Python interpreter, or unset it", "PROA_PYTHON is %q, which is no program", given)
		}
		return path, nil
	}
	if venv := k.Env("VIRTUAL_ENV"); venv != "" {
		path := filepath.Join(venv, "bin", "python")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	for _, name := range []string{"python3", "python"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fault.New(fault.Configuration, "install Python, activate a virtual environment, or set PROA_PYTHON", "there is no Python: neither python3 nor python is on the PATH")
}

// Environment is what a Python says of itself.
type Environment struct {
	Interpreter string `json:"interpreter"`
	Version     string `json:"version"`
	// Virtual says that it is a virtual environment.
	Virtual bool `json:"virtual"`
	// Packages are the versions of the packages that were asked for and are installed.
	Packages map[string]string `json:"packages"`
}

// question is asked in the interpreter: its version, and the versions of the packages named by its arguments.
const question = `
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
packages = {}
for name in sys.argv[1:]:
    try:
        packages[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps({"interpreter": sys.executable, "version": platform.python_version(),
                  "virtual": sys.prefix != sys.base_prefix, "packages": packages}))
`

// Ask starts an interpreter and asks for its version and for those of packages.
func Ask(ctx context.Context, k *kit.Kit, interpreter string, packages ...string) (Environment, error) {
	cmd := exec.CommandContext(ctx, interpreter, append([]string{"-c", question}, packages...)...)
	cmd.Dir, cmd.Env = k.Dir, k.Environ
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return Environment{}, fault.New(fault.Configuration, "proa needs Python 3.9 or newer: activate another environment, or set PROA_PYTHON",
			"%s can't be asked for its packages: %w: %s", interpreter, err, lastLine(errs.String()))
	}
	var e Environment
	if err := json.Unmarshal(out, &e); err != nil {
		return e, fmt.Errorf("reading what %s says of itself: %w", interpreter, err)
	}
	return e, nil
}

// UV returns the program uv; empty if it is not there. It is looked for beside the interpreter, then on the PATH.
func UV(interpreter string) string {
	beside := filepath.Join(filepath.Dir(interpreter), "uv")
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	found, _ := exec.LookPath("uv")
	return found
}

// Pip returns the command that changes an environment's packages, up to pip's own arguments: that of uv where there is one,
// which is quicker, or else of the environment's pip.
func Pip(e Environment, verb string) []string {
	if uv := UV(e.Interpreter); uv != "" {
		return []string{uv, "pip", verb, "--python", e.Interpreter}
	}
	command := []string{e.Interpreter, "-m", "pip", verb}
	if verb == "uninstall" {
		command = append(command, "--yes")
	}
	return command
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

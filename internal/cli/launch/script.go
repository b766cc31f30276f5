// Package launch holds the commands that start runs: `proa run`, and `proa spec` and `proa plan`, which stop on the way.
//
// `proa run FILE` only starts Python; the script's pipeline hands its spec back through `proa run --spec`, so that
// `python FILE` and `proa run FILE` are the same run.
package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/proa-ml/proa/spec"
)

// runScript replaces this process by Python, so that the script has the terminal, the signals and the exit code.
func runScript(k *kit.Kit, args []string, set ...string) error {
	if _, err := os.Stat(inDir(k, args[0])); err != nil {
		return fault.New(fault.Usage, "usage: proa run FILE [ARGUMENTS]", "there is no script %s", args[0])
	}
	if err := unhidden(filepath.Dir(inDir(k, args[0])), args[0]); err != nil {
		return err
	}
	interpreter, err := pyenv.Find(k)
	if err != nil {
		return err
	}
	argv := append([]string{interpreter}, args...)
	if err := k.Exec(interpreter, argv, with(k.Environ, append(set, "PROA_BIN="+k.Executable)...)); err != nil {
		return fault.New(fault.Configuration, "check PROA_PYTHON and the PATH", "starting %s: %w", interpreter, err)
	}
	return nil
}

// specOf runs a script until its first pipeline is called, and returns the spec. A file that ends in .json is the spec.
func specOf(ctx context.Context, k *kit.Kit, args []string) ([]byte, error) {
	path := inDir(k, args[0])
	if strings.HasSuffix(path, ".json") {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.New(fault.Usage, "", "reading the spec: %w", err)
		}
		return data, nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fault.New(fault.Usage, "", "there is no script %s", args[0])
	}
	if err := unhidden(filepath.Dir(path), args[0]); err != nil {
		return nil, err
	}
	interpreter, err := pyenv.Find(k)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "proa-spec-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	out := filepath.Join(folder, "spec.json")
	cmd := exec.CommandContext(ctx, interpreter, args...)
	cmd.Dir = k.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = k.In, k.Err, k.Err // the script's own output is not the data that was asked for
	cmd.Env = with(k.Environ, "PROA_SPEC_ONLY="+out, "PROA_BIN="+k.Executable)
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fault.New(fault.Configuration, "run it with Python alone to see why", "%s ended with exit code %d before it called a pipeline", args[0], exit.ExitCode())
		}
		return nil, fault.New(fault.Configuration, "check PROA_PYTHON and the PATH", "starting %s: %w", interpreter, err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return nil, fault.New(fault.Configuration, "call a function marked with @pipeline in it", "%s called no pipeline", args[0])
	}
	return data, nil
}

func inDir(k *kit.Kit, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(k.Dir, path)
}

// with returns an environment with variables set.
func with(environ []string, set ...string) []string {
	var all []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		replaced := false
		for _, s := range set {
			replaced = replaced || strings.HasPrefix(s, name+"=")
		}
		if !replaced {
			all = append(all, entry)
		}
	}
	return append(all, set...)
}

// launcher finds proa-step, which is beside proa.
func launcher(k *kit.Kit) (string, error) {
	path := filepath.Join(filepath.Dir(k.Executable), "proa-step")
	if _, err := os.Stat(path); err != nil {
		return "", fault.New(fault.Configuration, "install proa again, or run `make build` in a checkout", "the launcher proa-step is not beside proa: %s is missing", path)
	}
	return path, nil
}

// sdk finds the folder that holds the Python package proa: the SDK says where it is, and in a checkout it is beside bin.
func sdk(k *kit.Kit) (string, error) {
	dir := k.Env("PROA_SDK")
	if dir == "" {
		dir = besideProgram(k)
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "proa", "__init__.py"))
	}
	if err != nil {
		return "", fault.New(fault.Configuration, "set PROA_SDK to the folder that holds the Python package proa", "the Python package proa is not in %s", dir)
	}
	return dir, nil
}

// describe says what is wrong in a document as a configuration error.
func invalid(what string, err error) error {
	return fault.With(fault.Configuration, "", fmt.Errorf("%s: %w", what, err))
}

// besideProgram is where the Python package proa should be if nobody says so: in a checkout beside bin, and otherwise where
// the wheel that brought this program has put it.
func besideProgram(k *kit.Kit) string {
	above := filepath.Join(filepath.Dir(k.Executable), "..")
	checkout := filepath.Join(above, "python")
	installed, err := filepath.Glob(filepath.Join(above, "lib", "python3*", "site-packages"))
	if _, missing := os.Stat(checkout); missing == nil || err != nil || len(installed) == 0 {
		return checkout
	}
	return installed[0]
}

// sourceOf is the path of a pipeline's script.
func sourceOf(p *spec.Pipeline) string {
	return filepath.Join(p.Source.Root, filepath.FromSlash(p.Source.Main))
}

// respec has Python make the spec of a pipeline anew, from the code as it is now.
func (l *launch) respec(ctx context.Context, old *spec.Pipeline, data []byte) ([]byte, error) {
	if err := unhidden(old.Source.Root, "the pipeline's steps"); err != nil {
		return nil, err
	}
	interpreter := old.Source.Interpreter
	if _, err := os.Stat(interpreter); err != nil {
		if interpreter, err = pyenv.Find(l.Kit); err != nil {
			return nil, err
		}
	}
	folder, err := os.MkdirTemp("", "proa-respec-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	library, err := sdk(l.Kit)
	if err != nil {
		return nil, err
	}
	before, after := filepath.Join(folder, "old.json"), filepath.Join(folder, "new.json")
	if err := os.WriteFile(before, data, 0o600); err != nil {
		return nil, err
	}
	path := library
	if own := l.Env("PYTHONPATH"); own != "" {
		path += string(os.PathListSeparator) + own
	}
	cmd := exec.CommandContext(ctx, interpreter, "-m", "proa.respec", before, after)
	cmd.Dir = old.Source.Root
	cmd.Stdout, cmd.Stderr = l.Err, l.Err
	cmd.Env = with(l.Environ, "PYTHONPATH="+path)
	if err := cmd.Run(); err != nil {
		return nil, fault.New(fault.Configuration, "run the script itself instead", "the pipeline %q can't be made anew from %s: %w", old.Name, sourceOf(old), err)
	}
	return os.ReadFile(after)
}

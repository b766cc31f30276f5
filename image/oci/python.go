package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/proc"
)

// command runs a program to its end and returns what it printed. When the context ends, so does the program, with all
// that it started.
func (j *job) command(ctx context.Context, dir string, argv ...string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	env := j.options.Env
	if len(j.r.Secrets) > 0 {
		env = merge(env, j.r.Secrets)
	}
	var out, errs bytes.Buffer
	p, err := proc.Start(proc.Command{Args: argv, Dir: dir, Env: env, Output: &out, Stderr: &errs, DieWithParent: true})
	if err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Stop(2 * time.Second)
	}
	exit := p.Wait()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if exit.Code != 0 {
		return out.String(), &commandError{code: exit.Code, stderr: j.scrub(errs.String())}
	}
	return out.String(), nil
}

// commandError is a program that failed, and what it had to say.
type commandError struct {
	code   int
	stderr string
}

func (e *commandError) Error() string {
	if text := strings.TrimSpace(e.stderr); text != "" {
		return text
	}
	return fmt.Sprintf("exit code %d", e.code)
}

// scrub takes secrets out of a text, and credentials out of its URLs.
func (j *job) scrub(text string) string {
	for _, secret := range j.r.Secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "****")
		}
	}
	return regexp.MustCompile(`(://)[^/\s@]+@`).ReplaceAllString(text, "$1****@")
}

// compiles says whether the interpreter makes bytecode for the image's Python.
func (j *job) compiles(ctx context.Context) bool {
	if j.r.Interpreter == "" || j.r.Python == "" {
		return false
	}
	const probe = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
	out, err := j.command(ctx, j.temp, j.r.Interpreter, "-I", "-S", "-c", probe)
	return err == nil && strings.TrimSpace(out) == "cpython "+j.r.Python
}

// compile writes bytecode next to every Python file below root, which will be at target in the image. Layers have
// fixed times, so the bytecode is bound to nothing (unchecked-hash). Packages' own tests aren't imported by anybody
// and are left out. Files that don't compile are no error: they are templates, or for another Python.
func (j *job) compile(ctx context.Context, root, target string) error {
	_, err := j.command(ctx, j.temp, j.r.Interpreter, "-I", "-m", "compileall", "-qq", "-j", fmt.Sprint(workers()),
		"--invalidation-mode", "unchecked-hash", "-x", `[/\\]tests?[/\\]`, "-s", root, "-p", target, root)
	var failed *commandError
	if err != nil && !errors.As(err, &failed) {
		return fmt.Errorf("compiling Python with %s: %w", j.r.Interpreter, err)
	}
	return ctx.Err()
}

// bytecodeOf returns the entry for the bytecode of a Python file below root, if there is any.
func (j *job) bytecodeOf(root, name string) (item, bool) {
	dir, file := path.Split(name)
	tag := "cpython-" + strings.ReplaceAll(j.r.Python, ".", "")
	pyc := dir + "__pycache__/" + strings.TrimSuffix(file, ".py") + "." + tag + ".pyc"
	source := filepath.Join(root, filepath.FromSlash(pyc))
	info, err := os.Lstat(source)
	if err != nil || !info.Mode().IsRegular() {
		return item{}, false
	}
	return item{name: pyc, source: source, size: info.Size()}, true
}

// uv finds the command that runs uv.
func (j *job) uv(ctx context.Context) ([]string, error) {
	if len(j.options.UV) > 0 {
		return j.options.UV, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "uv")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return []string{beside}, nil
		}
	}
	if found, err := exec.LookPath("uv"); err == nil {
		if found, err = filepath.Abs(found); err == nil {
			return []string{found}, nil
		}
	}
	if j.r.Interpreter != "" {
		module := []string{j.r.Interpreter, "-m", "uv"}
		if _, err := j.command(ctx, j.temp, append(module, "--version")...); err == nil {
			return module, nil
		}
	}
	return nil, fmt.Errorf("%w: requirements are resolved with uv, which was not found beside proa, on the PATH, "+
		"or in the Python that runs the pipeline: install it with `pip install uv`", driver.ErrInvalid)
}

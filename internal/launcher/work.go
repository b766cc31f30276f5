package launcher

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proa-ml/proa/step"
)

// workFolder is where everything of one attempt lies while it runs.
type workFolder string

func makeWorkFolder(root string) (workFolder, error) {
	dir, err := os.MkdirTemp(root, "proa-step-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	w := workFolder(dir)
	for _, sub := range []string{w.temp(), w.home(), w.path("inputs"), w.path("outputs")} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			w.remove()
			return "", fmt.Errorf("making a temporary folder: %w", err)
		}
	}
	return w, nil
}

func (w workFolder) path(name string) string   { return filepath.Join(string(w), name) }
func (w workFolder) temp() string              { return w.path("tmp") }
func (w workFolder) home() string              { return w.path("home") }
func (w workFolder) request() string           { return w.path("request.json") }
func (w workFolder) result() string            { return w.path("result.json") }
func (w workFolder) log() string               { return w.path("log") }
func (w workFolder) input(name string) string  { return filepath.Join(w.path("inputs"), name) }
func (w workFolder) output(name string) string { return filepath.Join(w.path("outputs"), name) }

// remove removes the folder, also what the step has protected in it.
func (w workFolder) remove() {
	if os.RemoveAll(string(w)) == nil {
		return
	}
	_ = filepath.WalkDir(string(w), func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(string(w))
}

// checkName refuses names of inputs and outputs that can't be a folder's.
func checkName(kind, name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q can't be the name of an %s", name, kind)
	}
	return nil
}

// environment returns the runner's environment: the launcher's without what is proa's own, what the invocation adds, the
// step's secrets, and folders that the step may write to. HOME stays if it can be written to, because caches live there.
//
// They come in two parts, of which the second is this attempt's own.
func (l *launcher) environment() (shared, own map[string]string) {
	vars := map[string]string{}
	for _, entry := range l.environ {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	own = map[string]string{"TMPDIR": l.work.temp()}
	if home := vars["HOME"]; home == "" || unix.Access(home, unix.W_OK) != nil {
		own["HOME"] = l.work.home()
	}
	maps.Copy(vars, l.inv.Env)
	maps.Copy(vars, l.variables())
	for name := range own {
		if _, given := l.inv.Env[name]; given {
			delete(own, name)
		} else {
			delete(vars, name)
		}
	}
	if l.inv.Code != "" {
		vars["PYTHONPATH"] = strings.TrimSuffix(l.inv.Dir+string(os.PathListSeparator)+vars["PYTHONPATH"], string(os.PathListSeparator))
	}
	own[step.RequestEnv] = l.work.request()
	return vars, own
}

// assignments returns variables as a process is given them.
func assignments(groups ...map[string]string) []string {
	var env []string
	for _, vars := range groups {
		for name, value := range vars {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// findProgram looks a program up in the folders of a PATH.
func findProgram(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		if candidate := filepath.Join(dir, name); filepath.IsAbs(candidate) && unix.Access(candidate, unix.X_OK) == nil {
			if info, err := os.Stat(candidate); err == nil && !info.IsDir() {
				return candidate, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %q in PATH=%s", name, path)
}

package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/proa-ml/proa/spec"
)

// wanted is what a request asks to have installed. Nothing is resolved in it yet.
type wanted struct {
	requirements []string
	constraints  []string
	options      []string
	args         []string
	lock         *spec.Lock
	// content sums up the files that the lines name; with the lines, it is all that a resolution starts from.
	content map[string]string
}

// wants reads what the request asks for. Options among the requirements are options.
func (j *job) wants() (wanted, error) {
	w := wanted{options: slices.Clone(j.r.IndexOptions), constraints: sorted(j.r.Constraints), args: j.r.InstallerArgs,
		lock: j.r.Lock, content: map[string]string{}}
	for _, line := range sorted(j.r.Requirements) {
		if strings.HasPrefix(line, "-") {
			w.options = append(w.options, line)
			continue
		}
		w.requirements = append(w.requirements, line)
		if isPath(line) {
			if err := w.add(j, line); err != nil {
				return w, err
			}
		}
	}
	if w.lock == nil {
		return w, nil
	}
	if err := w.add(j, w.lock.Path); err != nil {
		return w, err
	}
	if filepath.Base(w.lock.Path) == uvLock {
		return w, w.add(j, filepath.Join(filepath.Dir(w.lock.Path), pyproject))
	}
	return w, nil
}

// add sums a file up.
func (w wanted) add(j *job, file string) error {
	file, _, _ = strings.Cut(file, " ")
	data, err := os.ReadFile(j.project(file))
	if err != nil {
		return invalid(err, "the requirements name %s, which can't be read", file)
	}
	h := sha256.Sum256(data)
	w.content[file] = hex.EncodeToString(h[:])
	return nil
}

func (w wanted) empty() bool { return len(w.requirements) == 0 && w.lock == nil }

// key is what of it goes into the environment's key. A lock counts by its content, wherever it is.
func (w wanted) key() string {
	var lock spec.Lock
	if w.lock != nil {
		lock = spec.Lock{Path: filepath.Base(w.lock.Path), Extras: w.lock.Extras, Groups: w.lock.Groups}
	}
	data, err := json.Marshal([]any{w.requirements, w.constraints, w.options, w.args, lock,
		slices.Sorted(maps.Values(w.content))})
	if err != nil {
		return "" // strings always marshal
	}
	return sum(string(data))
}

// count says how many requirements there are, for people.
func (w wanted) count() string {
	if w.lock != nil {
		return filepath.Base(w.lock.Path)
	}
	return plural(len(w.requirements), "requirement")
}

// project is the path on this machine of a file that is relative to the user's project.
func (j *job) project(file string) string {
	if filepath.IsAbs(file) || j.r.Root == "" {
		return file
	}
	return filepath.Join(j.r.Root, file)
}

// isPath says that a requirement is a wheel on this machine.
func isPath(line string) bool {
	return strings.HasPrefix(line, "./") || strings.HasPrefix(line, "../") || strings.HasPrefix(line, "/")
}

// located returns requirements and options with their paths made absolute.
func (j *job) located(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		option, value, found := strings.Cut(line, " ")
		switch {
		case isPath(line):
			line = j.project(line)
		case found && isPath(strings.TrimSpace(value)):
			line = option + " " + j.project(strings.TrimSpace(value))
		}
		out[i] = line
	}
	return out
}

// sources writes what uv resolves, and returns its arguments that say so, and the hashes that the user insists on, by
// package.
func (j *job) sources(ctx context.Context, uv []string, w wanted) (args []string, hashes map[string][]string, err error) {
	lines := slices.Concat(j.located(w.options), j.located(w.requirements))
	if w.lock != nil {
		locked, more, err := j.fromLock(ctx, uv, *w.lock)
		if err != nil {
			return nil, nil, err
		}
		lines, args = append(lines, locked...), more
	}
	file := j.path("requirements.txt")
	if err := writeLines(file, lines); err != nil {
		return nil, nil, err
	}
	args = append(args, file)
	if len(w.constraints) > 0 {
		file := j.path("constraints.txt")
		if err := writeLines(file, w.constraints); err != nil {
			return nil, nil, err
		}
		args = append(args, "--constraints", file)
	}
	return append(args, w.args...), hashesOf(slices.Concat(lines, w.constraints)), nil
}

func writeLines(file string, lines []string) error {
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("resolving the requirements: %w", err)
	}
	return nil
}

var (
	hashOption  = regexp.MustCompile(`--hash[= ](\S+)`)
	packageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*`)
)

// hashesOf collects the hashes of lines by package.
func hashesOf(lines []string) map[string][]string {
	out := map[string][]string{}
	for _, line := range lines {
		for _, m := range hashOption.FindAllStringSubmatch(line, -1) {
			first, _, _ := strings.Cut(line, " ")
			name := nameOf(first)
			out[name] = append(out[name], m[1])
		}
	}
	return out
}

package oci

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/proa-ml/proa/spec"
)

// Names of files of requirements.
const (
	pyproject = "pyproject.toml"
	uvLock    = "uv.lock"
)

// fromLock returns a lock file's content as lines of a requirements file, or arguments that make uv read it itself.
func (j *job) fromLock(ctx context.Context, uv []string, l spec.Lock) (lines, args []string, err error) {
	file := j.project(l.Path)
	switch base := filepath.Base(file); {
	case base == pyproject:
		args = []string{file}
		for _, extra := range l.Extras {
			args = append(args, "--extra", extra)
		}
		for _, group := range l.Groups {
			args = append(args, "--group", file+":"+group)
		}
		return nil, args, nil
	case base == uvLock:
		lines, err = j.exportLock(ctx, uv, file, l)
		return lines, nil, err
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		if len(l.Extras)+len(l.Groups) > 0 {
			return nil, nil, invalid(nil, "%s has no extras and groups to choose from: they were chosen when it was written", base)
		}
		lines, err = readPylock(file)
		return lines, nil, err
	default:
		return nil, nil, invalid(nil, "%s is no file of requirements: use pyproject.toml, uv.lock or pylock.toml", l.Path)
	}
}

// exportLock has uv say what its lock file pins.
func (j *job) exportLock(ctx context.Context, uv []string, file string, l spec.Lock) ([]string, error) {
	argv := append(slices.Clone(uv), "export", "--quiet", "--frozen", "--no-python-downloads", "--format", "requirements.txt",
		"--no-header", "--no-annotate", "--no-emit-local", "--no-default-groups", "--project", filepath.Dir(file))
	if j.r.Interpreter != "" {
		argv = append(argv, "--python", j.r.Interpreter)
	}
	for _, extra := range l.Extras {
		argv = append(argv, "--extra", extra)
	}
	for _, group := range l.Groups {
		argv = append(argv, "--group", group)
	}
	out, err := j.command(ctx, j.temp, argv...)
	if err != nil {
		return nil, j.explainUV(err, "read "+l.Path+" for")
	}
	return unfold(out), nil
}

// unfold joins continued lines and drops empty ones.
func unfold(text string) []string {
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// pylock is a lock file as the packaging standard has it, as far as it pins packages.
type pylock struct {
	Version  string `toml:"lock-version"`
	Packages []struct {
		Name    string       `toml:"name"`
		Version string       `toml:"version"`
		Marker  string       `toml:"marker"`
		Wheels  []pylockFile `toml:"wheels"`
		Sdist   *pylockFile  `toml:"sdist"`
		Archive *pylockFile  `toml:"archive"`
		VCS     *struct{}    `toml:"vcs"`
		Folder  *struct{}    `toml:"directory"`
	} `toml:"packages"`
}

type pylockFile struct {
	URL    string            `toml:"url"`
	Hashes map[string]string `toml:"hashes"`
}

// readPylock returns the pins of a pylock.toml with their markers and hashes.
func readPylock(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, invalid(err, "%s can't be read", file)
	}
	var lock pylock
	if err := toml.Unmarshal(data, &lock); err != nil {
		return nil, invalid(err, "%s is no lock file", file)
	}
	if !strings.HasPrefix(lock.Version, "1.") {
		return nil, invalid(nil, "%s has the lock-version %q, and only 1 is known", file, lock.Version)
	}
	var out []string
	for _, p := range lock.Packages {
		if p.VCS != nil || p.Folder != nil {
			return nil, invalid(nil, "%s takes %s from a repository or a folder: build a wheel of it, and name that", file, p.Name)
		}
		line := p.Name + "==" + p.Version
		if p.Version == "" && p.Archive != nil {
			line = p.Name + " @ " + p.Archive.URL
		}
		if p.Marker != "" {
			line += " ; " + p.Marker
		}
		files := p.Wheels
		for _, more := range []*pylockFile{p.Sdist, p.Archive} {
			if more != nil {
				files = append(files, *more)
			}
		}
		for _, f := range files {
			for _, kind := range slices.Sorted(maps.Keys(f.Hashes)) {
				line += fmt.Sprintf(" --hash=%s:%s", kind, f.Hashes[kind])
			}
		}
		out = append(out, line)
	}
	return out, nil
}

package oci

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// never are names, at any depth, that have no place in an image: other tools' state, what can be made again, and
// secrets.
var never = []string{
	".git", ".hg", ".svn", ".proa", ".proaignore", ".dockerignore", "__pycache__", "*.pyc", "*.egg-info",
	".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".DS_Store", ".idea", ".vscode",
	".env", ".env.*", ".envrc", ".ssh", ".aws", ".azure", ".kube", ".docker", ".gnupg", ".config", ".netrc", ".pypirc",
	".pgpass", ".my.cnf", ".git-credentials", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.kubeconfig",
}

func forbidden(name string) bool {
	for _, pattern := range never {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// rule is one line of an ignore file.
type rule struct {
	match *regexp.Regexp
	keep  bool
}

// ignore holds the rules of .dockerignore and .proaignore, with Docker's meaning: patterns start at the root, the last
// one that matches decides, "!" takes back, "**" stands for any number of folders.
type ignore struct {
	rules []rule
	// reaches says that a "!" may take something back within an ignored folder, so such folders are walked too.
	reaches bool
}

// readIgnore reads the rules; own is a file that stands in for .dockerignore, if it is not empty.
func readIgnore(root, own string) (ignore, error) {
	var out ignore
	files := []string{filepath.Join(root, ".dockerignore"), filepath.Join(root, ".proaignore")}
	if own != "" {
		files[0] = own
	}
	for _, file := range files {
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) && file != own {
			continue
		}
		if err != nil {
			return out, invalid(err, "%s can't be read", file)
		}
		scanner := bufio.NewScanner(f)
		for n := 1; scanner.Scan(); n++ {
			if err := out.add(scanner.Text()); err != nil {
				_ = f.Close()
				return out, invalid(err, "%s, line %d", file, n)
			}
		}
		err = scanner.Err()
		_ = f.Close()
		if err != nil {
			return out, invalid(err, "%s can't be read", file)
		}
	}
	return out, nil
}

func (g *ignore) add(line string) error {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	r := rule{}
	if rest, ok := strings.CutPrefix(line, "!"); ok {
		r.keep, line = true, strings.TrimSpace(rest)
		g.reaches = true
	}
	line = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(line)), "/")
	if line == "" {
		return nil
	}
	text, err := expression(line)
	if err != nil {
		return err
	}
	if r.match, err = regexp.Compile(text); err != nil {
		return fmt.Errorf("pattern %q is malformed: %w", line, err)
	}
	g.rules = append(g.rules, r)
	return nil
}

// expression turns a pattern into a regular expression that also matches everything below.
func expression(pattern string) (string, error) {
	var out strings.Builder
	out.WriteString("(?s)^") // names may hold line breaks
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			out.WriteString("(.*/)?")
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			out.WriteString(".*")
			i++
		case c == '*':
			out.WriteString("[^/]*")
		case c == '?':
			out.WriteString("[^/]")
		case c == '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end < 0 {
				return "", fmt.Errorf("pattern %q has a [ without a ]", pattern)
			}
			out.WriteString(pattern[i : i+end+2])
			i += end + 1
		case c == '\\' && i+1 < len(pattern):
			i++
			out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	out.WriteString("(/.*)?$")
	return out.String(), nil
}

// ignored says whether a path, relative and with slashes, is left out.
func (g ignore) ignored(name string) bool {
	out := false
	for _, r := range g.rules {
		if r.keep == out && r.match.MatchString(name) {
			out = !r.keep
		}
	}
	return out
}

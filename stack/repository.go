package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/internal/file"
)

// RepositoryDir is the folder that marks the root of a repository. It keeps the repository's own active stack.
const RepositoryDir = ".proa"

// Repository is a folder of the user's code that has its own active stack.
type Repository struct{ Root string }

// FindRepository returns the nearest repository at or above dir; nil if there is none.
func FindRepository(dir string) *Repository {
	for {
		if info, err := os.Stat(filepath.Join(dir, RepositoryDir)); err == nil && info.IsDir() {
			return &Repository{Root: dir}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

// InitRepository makes dir a repository. It reports whether it was none before.
func InitRepository(dir string) (created bool, err error) {
	err = os.Mkdir(filepath.Join(dir, RepositoryDir), 0o755)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, Mistake("check that the folder exists and that you may write to it", "making a repository: %v", err)
	}
	return true, nil
}

func (r Repository) path() string { return filepath.Join(r.Root, RepositoryDir, "config.yaml") }

// Active is the name of the repository's active stack; empty if it has none of its own.
func (r Repository) Active() (string, error) {
	data, err := os.ReadFile(r.path())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", Mistake("check the file's owner and mode", "reading the repository's config: %v", err)
	}
	var active string
	err = document(r.path(), data, fields{"apiVersion": version, "active": text(&active)})
	return active, err
}

// SetActive makes a stack the repository's active one. Comments in its file stay; a file that can't be read is not replaced.
func (r Repository) SetActive(name string) error {
	if _, err := r.Active(); err != nil {
		return err
	}
	old, err := os.ReadFile(r.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Mistake("check the file's owner and mode", "reading the repository's config: %v", err)
	}
	data, err := rewrite(old, struct {
		APIVersion string `yaml:"apiVersion"`
		Active     string `yaml:"active"`
	}{apiVersion, name})
	if err != nil {
		return fmt.Errorf("encoding the repository's config %s: %w", r.path(), err)
	}
	if err := file.Replace(r.path(), data); err != nil {
		return Mistake("make the folder writable, or set the stack for the user: `proa stack set "+name+" --global`", "%v", err)
	}
	return nil
}

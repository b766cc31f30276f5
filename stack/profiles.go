package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/proa-ml/proa/internal/file"
	"go.yaml.in/yaml/v3"
)

// profileFile says which profile is active, in the config folder or in a repository.
const profileFile = "profile.yaml"

// Profiles are sets of stacks and components that know nothing of each other. The one named default is kept in the config
// folder itself, the others in folders below it.
type Profiles struct {
	// Dir is the config folder; it need not exist.
	Dir string
}

// Folder is where a profile's stacks are kept.
func (p Profiles) Folder(name string) string {
	if name == DefaultName || p.Dir == "" {
		return p.Dir
	}
	return filepath.Join(p.Dir, "profiles", name)
}

// Names returns the names of all profiles.
func (p Profiles) Names() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(p.Dir, "profiles"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, Mistake("check the folder's owner and mode", "listing the profiles: %v", err)
	}
	names := []string{DefaultName}
	for _, entry := range entries {
		if entry.IsDir() && CheckName("profile", entry.Name()) == nil {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Check returns an error unless there is a profile of that name.
func (p Profiles) Check(name string) error {
	names, err := p.Names()
	if err != nil || slices.Contains(names, name) {
		return err
	}
	return unknown("profile", name, names, "proa profile list")
}

// Create makes an empty profile.
func (p Profiles) Create(name string) error {
	if err := CheckName("profile", name); err != nil {
		return err
	}
	if p.Dir == "" {
		return Mistake("set HOME or PROA_CONFIG_DIR", "there is no place for proa's configuration: HOME is not set")
	}
	if p.Check(name) == nil {
		return Mistake("choose another name, or make it active with `proa profile set "+name+"`", "a profile named %q exists already", name)
	}
	if err := os.MkdirAll(p.Folder(name), 0o700); err != nil {
		return unwritable(fmt.Errorf("making the profile %q: %w", name, err))
	}
	return nil
}

// Delete forgets a profile with its stacks and components.
func (p Profiles) Delete(name string) error {
	if err := p.Check(name); err != nil {
		return err
	}
	if name == DefaultName {
		return Mistake("", "the profile %q is built in and can't be deleted", name)
	}
	if err := os.RemoveAll(p.Folder(name)); err != nil {
		return unwritable(fmt.Errorf("deleting the profile %q: %w", name, err))
	}
	return nil
}

// Active is the name of the user's active profile.
func (p Profiles) Active() (string, error) {
	if p.Dir == "" {
		return DefaultName, nil
	}
	name, err := readProfile(p.Dir)
	if name == "" {
		name = DefaultName
	}
	return name, err
}

// SetActive makes a profile the user's active one.
func (p Profiles) SetActive(name string) error {
	if err := p.Check(name); err != nil {
		return err
	}
	return writeProfile(p.Dir, name)
}

// Profile is the name of the repository's active profile; empty if it has none of its own.
func (r Repository) Profile() (string, error) {
	return readProfile(filepath.Join(r.Root, RepositoryDir))
}

// SetProfile makes a profile the repository's active one. It has no active stack of its own any more, since that belongs to
// another profile.
func (r Repository) SetProfile(name string) error {
	if err := os.Remove(r.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unwritable(fmt.Errorf("changing the repository's profile: %w", err))
	}
	return writeProfile(filepath.Join(r.Root, RepositoryDir), name)
}

func readProfile(folder string) (string, error) {
	path := filepath.Join(folder, profileFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", Mistake("check the file's owner and mode", "reading which profile is active: %v", err)
	}
	var name string
	if err := document(path, data, fields{"apiVersion": version, "active": text(&name)}); err != nil {
		return "", err
	}
	return name, CheckName("profile", name)
}

func writeProfile(folder, name string) error {
	data, err := yaml.Marshal(struct {
		APIVersion string `yaml:"apiVersion"`
		Active     string `yaml:"active"`
	}{apiVersion, name})
	if err != nil {
		return fmt.Errorf("encoding which profile is active: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return unwritable(fmt.Errorf("making the config folder: %w", err))
	}
	if err := file.Replace(filepath.Join(folder, profileFile), data); err != nil {
		return unwritable(err)
	}
	return nil
}

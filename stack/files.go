package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/proa-ml/proa/internal/file"
)

// Files keeps a Config in a folder. It holds credentials, so that only the user may read it.
type Files struct {
	// Dir is the config folder; it need not exist.
	Dir string
	// BuiltIn are the components of the built-in stack.
	BuiltIn []Component
	// Err says why Dir is not known to be the right one; nothing is read or written then.
	Err error
}

// Path is where stacks and components are kept.
func (f Files) Path() string { return filepath.Join(f.Dir, "stacks.yaml") }

// Load reads the config. Without a file there is the built-in stack alone.
func (f Files) Load() (*Config, error) {
	config, _, err := f.read()
	return config, err
}

// read returns the config and the text that it was read from.
func (f Files) read() (*Config, []byte, error) {
	if f.Err != nil {
		return nil, nil, f.Err
	}
	if f.Dir == "" {
		return nil, nil, Mistake("set HOME or PROA_CONFIG_DIR", "there is no place for proa's configuration: HOME is not set")
	}
	config := NewConfig(f.BuiltIn)
	data, err := os.ReadFile(f.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil, nil
	}
	if err != nil {
		return nil, nil, Mistake("check the file's owner and mode, or choose another folder with PROA_CONFIG_DIR", "reading the stacks: %v", err)
	}
	if err := decodeConfig(config, f.Path(), data); err != nil {
		return nil, nil, err
	}
	return config, data, nil
}

// Update loads the config, lets change alter it, and writes it, all under a lock that other processes respect. When
// change fails nothing is written. Comments in the file stay.
func (f Files) Update(change func(*Config) error) error {
	if f.Dir == "" || f.Err != nil {
		_, err := f.Load()
		return err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return unwritable(fmt.Errorf("making the config folder: %w", err))
	}
	unlock, err := file.Lock(filepath.Join(f.Dir, ".lock"))
	if err != nil {
		return unwritable(fmt.Errorf("locking the config folder: %w", err))
	}
	defer unlock()
	config, old, err := f.read()
	if err != nil {
		return err
	}
	if err := change(config); err != nil {
		return err
	}
	data, err := rewrite(old, config.file())
	if err != nil {
		return fmt.Errorf("encoding the stacks: %w", err)
	}
	return unwritable(file.Replace(f.Path(), data))
}

// unwritable says what to do about a file that can't be written.
func unwritable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return Mistake("free some space and try again, or choose another folder with PROA_CONFIG_DIR; what was there before is unchanged", "%v", err)
	}
	return Mistake("make it writable, or choose another folder with PROA_CONFIG_DIR; what was there before is unchanged", "%v", err)
}

// configFile is the stacks file.
type configFile struct {
	APIVersion string                            `yaml:"apiVersion"`
	Active     string                            `yaml:"active"`
	Components map[Kind]map[string]componentFile `yaml:"components,omitempty"`
	Stacks     map[string]map[Kind]string        `yaml:"stacks,omitempty"`
}

type componentFile struct {
	Flavor     string            `yaml:"flavor"`
	Attributes map[string]string `yaml:"attributes,omitempty"`
}

// file is what the config says in its file: all but what is built in.
func (c *Config) file() configFile {
	kept := configFile{
		APIVersion: apiVersion,
		Active:     c.active,
		Components: map[Kind]map[string]componentFile{},
		Stacks:     map[string]map[Kind]string{},
	}
	for kind, named := range c.components {
		for name, component := range named {
			if component.BuiltIn {
				continue
			}
			if kept.Components[kind] == nil {
				kept.Components[kind] = map[string]componentFile{}
			}
			kept.Components[kind][name] = componentFile{component.Flavor, component.Attributes}
		}
	}
	for name, s := range c.stacks {
		if !s.BuiltIn {
			kept.Stacks[name] = s.Components
		}
	}
	return kept
}

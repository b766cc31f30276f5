package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/internal/file"
	"go.yaml.in/yaml/v3"
)

// Files keeps a Config in a folder. It holds credentials, so that only the user may read it.
type Files struct {
	// Dir is the config folder; it need not exist.
	Dir string
	// BuiltIn are the components of the built-in stack.
	BuiltIn []Component
}

// Path is where stacks and components are kept.
func (f Files) Path() string { return filepath.Join(f.Dir, "stacks.yaml") }

// Load reads the config. Without a file there is the built-in stack alone.
func (f Files) Load() (*Config, error) {
	config := NewConfig(f.BuiltIn)
	if f.Dir == "" {
		return nil, Mistake("set HOME or PROA_CONFIG_DIR", "there is no place for proa's configuration: HOME is not set")
	}
	data, err := os.ReadFile(f.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil
	}
	if err != nil {
		return nil, Mistake("check the file's owner and mode, or choose another folder with PROA_CONFIG_DIR", "reading the stacks: %v", err)
	}
	if err := decodeConfig(config, f.Path(), data); err != nil {
		return nil, err
	}
	return config, nil
}

// Update loads the config, lets change alter it, and writes it, all under a lock that other processes respect. When
// change fails nothing is written.
func (f Files) Update(change func(*Config) error) error {
	if f.Dir == "" {
		_, err := f.Load()
		return err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return Mistake("choose another folder with PROA_CONFIG_DIR", "making the config folder: %v", err)
	}
	unlock, err := file.Lock(filepath.Join(f.Dir, ".lock"))
	if err != nil {
		return fmt.Errorf("locking the config folder: %w", err)
	}
	defer unlock()
	config, err := f.Load()
	if err != nil {
		return err
	}
	if err := change(config); err != nil {
		return err
	}
	data, err := encodeConfig(config)
	if err != nil {
		return fmt.Errorf("encoding the stacks: %w", err)
	}
	return file.Replace(f.Path(), data)
}

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

func encodeConfig(c *Config) ([]byte, error) {
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
	return yaml.Marshal(kept)
}

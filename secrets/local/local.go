// Package local keeps secrets in one file of this machine's user. The file can be encrypted with a key made from a
// passphrase, or with one in the user's keyring; without that, its mode is what protects it.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/proa-ml/proa/internal/file"
	"github.com/proa-ml/proa/secrets/driver"
	"github.com/proa-ml/proa/stack"
)

// Encryption says whether the file is encrypted.
type Encryption string

// The encryptions. Kept leaves a file as it is, and encrypts a new one if there is a passphrase without asking for one.
const (
	Kept       Encryption = ""
	None       Encryption = "none"
	Passphrase Encryption = "passphrase"
	Keyring    Encryption = "keyring"
)

// Config says where the secrets are.
type Config struct {
	// Path is the file. It and its folder need not exist.
	Path       string
	Encryption Encryption
}

// Options are what the process provides.
type Options struct {
	// Rand makes salts and nonces.
	Rand io.Reader
	// Passphrase is the one that is given, if one is; nil means that none is.
	Passphrase *string
	// Ask asks the user for the passphrase, twice if it is a new one; nil means that nobody can be asked.
	Ask func(ctx context.Context, anew bool) (string, error)
	// Keys is the user's keyring.
	Keys Keys
}

// Keys keeps keys by name.
type Keys interface {
	// Get returns a key. Its error wraps keyring.ErrNotFound if there is none of that name.
	Get(ctx context.Context, name string) ([]byte, error)
	Set(ctx context.Context, name string, key []byte) error
}

// Store keeps secrets in a file.
type Store struct {
	config Config
	opts   Options
	cost   cost
}

var _ driver.Store = (*Store)(nil)

// New returns the store of a file, without looking at it.
func New(c Config, opts Options) *Store { return &Store{c, opts, usualCost()} }

// Names implements driver.Store.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	content, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(content.secrets)), nil
}

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, name string) (map[string]string, error) {
	content, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	values, ok := content.secrets[name]
	if !ok {
		return nil, driver.ErrNotFound
	}
	return values, nil
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, name string, values map[string]string) error {
	return s.change(ctx, func(all map[string]map[string]string) error {
		if _, taken := all[name]; taken {
			return driver.ErrExists
		}
		all[name] = values
		return nil
	})
}

// Update implements driver.Store.
func (s *Store) Update(ctx context.Context, name string, change func(map[string]string) error) error {
	return s.change(ctx, func(all map[string]map[string]string) error {
		values, ok := all[name]
		if !ok {
			return driver.ErrNotFound
		}
		return change(values)
	})
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.change(ctx, func(all map[string]map[string]string) error {
		if _, ok := all[name]; !ok {
			return driver.ErrNotFound
		}
		delete(all, name)
		return nil
	})
}

// change reads the file, lets f change what it holds, and writes it, while other processes wait.
func (s *Store) change(ctx context.Context, f func(all map[string]map[string]string) error) error {
	if err := os.MkdirAll(filepath.Dir(s.config.Path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the secrets: %w", err)
	}
	unlock, err := file.Lock(s.config.Path + ".lock")
	if err != nil {
		return fmt.Errorf("locking the secrets: %w", err)
	}
	defer unlock()
	content, err := s.read(ctx)
	if err != nil {
		return err
	}
	if err := f(content.secrets); err != nil {
		return err
	}
	data, err := s.encode(ctx, content)
	if err != nil {
		return err
	}
	return file.Replace(s.config.Path, data)
}

// read reads the file; one that doesn't exist holds no secrets.
func (s *Store) read(ctx context.Context) (content, error) {
	data, err := os.ReadFile(s.config.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return content{secrets: map[string]map[string]string{}}, nil
	}
	if err != nil {
		return content{}, stack.Mistake("check the file's owner and mode", "reading the secrets: %v", err)
	}
	return s.decode(ctx, data)
}

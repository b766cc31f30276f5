// Package driver is the contract between proa and a secrets manager: something that keeps named secrets, each a few keys
// with their values. Names and keys are checked before a driver sees them; values are any text.
package driver

import (
	"context"
	"errors"
)

var (
	// ErrNotFound is a secret that doesn't exist.
	ErrNotFound = errors.New("the secret doesn't exist")
	// ErrExists is a secret that exists already.
	ErrExists = errors.New("the secret exists already")
)

// Store keeps secrets. Its methods are safe for concurrent use, also by other processes. No error holds a value.
type Store interface {
	// Names lists the secrets, sorted.
	Names(ctx context.Context) ([]string, error)
	// Get returns a secret's values by key. Its error wraps ErrNotFound if there is none of that name.
	Get(ctx context.Context, name string) (map[string]string, error)
	// Create keeps a new secret. Its error wraps ErrExists if there is one of that name.
	Create(ctx context.Context, name string, values map[string]string) error
	// Update replaces a secret's values by what change makes of them, unless it returns an error, which is Update's then.
	// Nobody else's change is lost; change may be called again with newer values. Update's error wraps ErrNotFound if there
	// is none of that name.
	Update(ctx context.Context, name string, change func(values map[string]string) error) error
	// Delete forgets a secret. Its error wraps ErrNotFound if there is none of that name.
	Delete(ctx context.Context, name string) error
}

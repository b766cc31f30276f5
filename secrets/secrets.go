// Package secrets keeps credentials and the like away from stack files: a [Manager] checks names, keys and values and
// says in words what a driver's errors mean. The drivers are in the packages below.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/secrets/driver"
	"github.com/proa-ml/proa/stack"
)

// maxSize is the most that a secret's values may have together, in bytes: a run's secrets travel in one object of the
// cluster, which has room for a mebibyte.
const maxSize = 256 << 10

// Manager is a secrets manager.
type Manager struct {
	store driver.Store
	name  string
}

// New makes a manager of a driver. The name is what the user calls it.
func New(store driver.Store, name string) *Manager { return &Manager{store, name} }

// Name is what the user calls the manager.
func (m *Manager) Name() string { return m.name }

// Names lists the secrets, sorted.
func (m *Manager) Names(ctx context.Context) ([]string, error) {
	names, err := m.store.Names(ctx)
	return names, m.explain(ctx, "", err)
}

// Get returns a secret's values by key.
func (m *Manager) Get(ctx context.Context, name string) (map[string]string, error) {
	if err := stack.CheckSecretName(name); err != nil {
		return nil, err
	}
	values, err := m.store.Get(ctx, name)
	return values, m.explain(ctx, name, err)
}

// Lookup returns a secret's values by key; ok is false if there is none of that name.
func (m *Manager) Lookup(ctx context.Context, name string) (values map[string]string, ok bool, err error) {
	values, err = m.store.Get(ctx, name)
	if errors.Is(err, driver.ErrNotFound) {
		return nil, false, nil
	}
	return values, err == nil, m.explain(ctx, name, err)
}

// Create keeps a new secret.
func (m *Manager) Create(ctx context.Context, name string, values map[string]string) error {
	if err := stack.CheckSecretName(name); err != nil {
		return err
	}
	if len(values) == 0 {
		return stack.Mistake(fmt.Sprintf("`proa secret create %s --KEY=@-` reads a value from the standard input", name), "the secret %q would have no key", name)
	}
	if err := check(name, values); err != nil {
		return err
	}
	return m.explain(ctx, name, m.store.Create(ctx, name, values))
}

// Update sets keys of a secret and takes others away.
func (m *Manager) Update(ctx context.Context, name string, set map[string]string, remove []string) error {
	if err := stack.CheckSecretName(name); err != nil {
		return err
	}
	return m.explain(ctx, name, m.store.Update(ctx, name, func(values map[string]string) error {
		return change(name, values, set, remove)
	}))
}

// Set sets keys of a secret, which is made if it doesn't exist.
func (m *Manager) Set(ctx context.Context, name string, set map[string]string) error {
	_, ok, err := m.Lookup(ctx, name)
	switch {
	case err != nil:
		return err
	case ok:
		return m.Update(ctx, name, set, nil)
	}
	return m.Create(ctx, name, set)
}

func change(name string, values, set map[string]string, remove []string) error {
	for _, key := range remove {
		if _, ok := values[key]; !ok {
			return stack.Mistake("", "the secret %q has no key %q; it has: %s", name, key, strings.Join(keys(values), ", "))
		}
		delete(values, key)
	}
	maps.Copy(values, set)
	if len(values) == 0 {
		return stack.Mistake(fmt.Sprintf("delete it: `proa secret delete %s`", name), "the secret %q would have no key left", name)
	}
	return check(name, values)
}

// Delete forgets a secret.
func (m *Manager) Delete(ctx context.Context, name string) error {
	if err := stack.CheckSecretName(name); err != nil {
		return err
	}
	return m.explain(ctx, name, m.store.Delete(ctx, name))
}

// check says what is wrong with a secret's keys and values, without repeating a value.
func check(name string, values map[string]string) error {
	size := 0
	for _, key := range keys(values) {
		if err := stack.CheckSecretKey(key); err != nil {
			return err
		}
		value := values[key]
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return stack.Mistake("encode it, for example with base64", "the value of the key %q of the secret %q is not text: it is not UTF-8, or holds a NUL", key, name)
		}
		size += len(value)
	}
	if size > maxSize {
		return stack.Mistake("keep large files in the artifact store or in the image", "the secret %q is too large: %d bytes, of at most %d", name, size, maxSize)
	}
	return nil
}

// explain says what a driver's error means, and what to type next.
func (m *Manager) explain(ctx context.Context, name string, err error) error {
	var mistake *stack.Error
	switch {
	case err == nil, errors.As(err, &mistake):
		return err
	case errors.Is(err, driver.ErrExists):
		return stack.Mistake(fmt.Sprintf("change it with `proa secret update %s --KEY=VALUE`, or choose another name", name),
			"a secret named %q exists already in the secrets manager %q", name, m.name)
	case errors.Is(err, driver.ErrNotFound):
		return m.unknown(ctx, name)
	}
	return fmt.Errorf("the secrets manager %q can't be used: %w", m.name, err)
}

func (m *Manager) unknown(ctx context.Context, name string) error {
	known, err := m.store.Names(ctx)
	hint := fmt.Sprintf("make it with `proa secret create %s --KEY=@-`", name)
	if near := strict.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? Otherwise %s", near, hint)
	}
	if err != nil || len(known) == 0 {
		return stack.Mistake(hint, "there is no secret %q in the secrets manager %q", name, m.name)
	}
	return stack.Mistake(hint, "there is no secret %q in the secrets manager %q; it has: %s", name, m.name, strings.Join(known, ", "))
}

func keys(values map[string]string) []string { return slices.Sorted(maps.Keys(values)) }

// Package keyring keeps keys in the keyring of this machine's user: the Secret Service of a Linux desktop, the Keychain of a
// Mac, the Credential Manager of Windows.
package keyring

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/zalando/go-keyring"
)

var (
	// ErrNotFound is a key that the keyring doesn't have.
	ErrNotFound = errors.New("the keyring has no such key")
	// ErrNone is a machine, or a session, without a keyring.
	ErrNone = errors.New("there is no keyring here")
)

// service is what the keyring files the keys under.
const service = "proa"

// Keyring is that of the user.
type Keyring struct {
	// Env looks a variable of the environment up.
	Env func(string) string
}

// Get returns a key. Its error wraps ErrNotFound if there is none of that name. A locked keyring may ask its user; Get waits
// for the answer until ctx ends.
func (k Keyring) Get(ctx context.Context, name string) ([]byte, error) {
	text, err := ask(ctx, k, func() (string, error) { return keyring.Get(service, name) })
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("what the keyring has under that name is no key") // the error's text could hold a part of it
	}
	return key, nil
}

// Set keeps a key, as Get does with a locked keyring.
func (k Keyring) Set(ctx context.Context, name string, key []byte) error {
	_, err := ask(ctx, k, func() (string, error) {
		return "", keyring.Set(service, name, base64.StdEncoding.EncodeToString(key))
	})
	return err
}

// ask asks the keyring, until ctx ends.
func ask(ctx context.Context, k Keyring, question func() (string, error)) (string, error) {
	if !k.present() {
		return "", fmt.Errorf("%w: no session bus (D-Bus) leads to one", ErrNone)
	}
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := question()
		answers <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-answers:
		if errors.Is(a.err, keyring.ErrNotFound) {
			return "", ErrNotFound
		}
		if errors.Is(a.err, keyring.ErrUnsupportedPlatform) {
			return "", ErrNone
		}
		return a.text, a.err
	}
}

// present says whether there is a session bus, which the keyring is reached by where it is a Secret Service. The library would
// start one otherwise, which outlived this process and which nothing is on.
func (k Keyring) present() bool {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" || k.Env("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	for _, name := range []string{"bus", "dbus-session"} {
		if _, err := os.Stat(filepath.Join("/run/user", fmt.Sprint(os.Getuid()), name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

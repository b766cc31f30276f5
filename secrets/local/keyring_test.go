package local

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proa-ml/proa/internal/keyring"
	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/secrets/driver"
	"github.com/proa-ml/proa/secrets/drivertest"
)

// onKeyring returns a keyring of the test's own, which has to be unlocked, and the options of stores that use it.
func onKeyring(t *testing.T) (*testbed.SecretService, Options) {
	t.Helper()
	service := testbed.NewSecretService(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", service.Address)
	return service, Options{Rand: rand.Reader, Keys: keyring.Keyring{Env: func(string) string { return service.Address }}}
}

// TestKeyring is one test, because the process keeps its connection to the first session bus.
func TestKeyring(t *testing.T) {
	service, opts := onKeyring(t)
	folder := t.TempDir()
	config := Config{Path: filepath.Join(folder, "secrets.json"), Encryption: Keyring}
	refused := func(why string) {
		t.Helper()
		err := open(config, opts).Create(t.Context(), "more", map[string]string{"key": "more"})
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), config.Path) {
			t.Errorf("got %v, want %s", err, why)
		}
	}
	refused("locked or doesn't answer")
	service.Unlock()
	create(t, open(config, opts), "a", "the-canary")
	if data := fileOf(t, config.Path); bytes.Contains(data, []byte("the-canary")) || !bytes.Contains(data, []byte(`"keyring": "secrets-`)) {
		t.Errorf("the file isn't encrypted with a key in the keyring:\n%s", data)
	}
	before := fileOf(t, config.Path)
	service.Lock()
	refused("locked or doesn't answer")
	service.Stop()
	refused("locked or doesn't answer")
	service.Unlock()
	if after := fileOf(t, config.Path); !bytes.Equal(before, after) {
		t.Errorf("the file was changed without its key:\n%s", after)
	}
	kept := open(Config{Path: config.Path}, opts)
	if values, err := kept.Get(t.Context(), "a"); err != nil || values["key"] != "the-canary" {
		t.Errorf("unlocked again: %v, %v", values, err)
	}
	t.Run("conformance", func(t *testing.T) {
		drivertest.Run(t, func(t *testing.T) func() driver.Store {
			path := filepath.Join(t.TempDir(), "folder", "secrets.json")
			return func() driver.Store { return open(Config{Path: path, Encryption: Keyring}, opts) }
		})
	})
	t.Run("change", func(t *testing.T) { testChanges(t, config.Path, opts) })
	t.Run("another key", func(t *testing.T) { testAnotherKey(t, config, opts) })
}

// testChanges goes through all encryptions with one file.
func testChanges(t *testing.T, path string, opts Options) {
	text := "p"
	opts.Passphrase = &text
	for i, c := range []struct {
		encryption Encryption
		want       string
	}{
		{Kept, `"keyring"`}, {Passphrase, `"salt"`}, {Kept, `"salt"`}, {Keyring, `"keyring"`}, {None, "the-canary"}, {Keyring, `"keyring"`},
	} {
		create(t, open(Config{Path: path, Encryption: c.encryption}, opts), "more"+string(rune('a'+i)), "x")
		if data := fileOf(t, path); !bytes.Contains(data, []byte(c.want)) {
			t.Errorf("change %d, %q: the file has no %s:\n%s", i, c.encryption, c.want, data)
		}
	}
	names, err := open(Config{Path: path}, opts).Names(t.Context())
	if err != nil || len(names) != 7 {
		t.Errorf("left are %v, %v", names, err)
	}
}

// testAnotherKey reads a file whose key the keyring doesn't have, and one with a wrong key under that name.
func testAnotherKey(t *testing.T, c Config, opts Options) {
	s := open(c, opts)
	content, err := s.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if data := fileOf(t, c.Path); bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(content.lock.key))) {
		t.Error("the key stands in the file")
	}
	if _, err := s.keyOf(t.Context(), "secrets-of-another"); err == nil || !strings.Contains(err.Error(), "this one doesn't have it") {
		t.Errorf("an absent key: %v", err)
	}
	if err := opts.Keys.Set(t.Context(), content.lock.name, make([]byte, keySize)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "another key under the name") {
		t.Errorf("a wrong key: %v", err)
	}
	if err := opts.Keys.Set(t.Context(), content.lock.name, []byte("short")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "is no key") {
		t.Errorf("a short key: %v", err)
	}
}

// TestNoSession has nobody to ask, and starts nobody.
func TestNoSession(t *testing.T) {
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		t.Skip("this machine's user has a session")
	}
	none := keyring.Keyring{Env: func(string) string { return "" }}
	s := open(Config{Path: filepath.Join(t.TempDir(), "secrets.json"), Encryption: Keyring}, Options{Rand: rand.Reader, Keys: none})
	if err := s.Create(t.Context(), "a", map[string]string{"key": "x"}); err == nil || !strings.Contains(err.Error(), "there is no keyring here") {
		t.Errorf("got %v", err)
	}
}

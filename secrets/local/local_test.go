package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proa-ml/proa/secrets/driver"
	"github.com/proa-ml/proa/secrets/drivertest"
)

func passphrase(text string) Options { return Options{Rand: rand.Reader, Passphrase: &text} }

func TestConformance(t *testing.T) {
	for name, opts := range map[string]Options{"plain": {Rand: rand.Reader}, "encrypted": passphrase("open sesame")} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) func() driver.Store {
				path := filepath.Join(t.TempDir(), "folder", "secrets.json")
				return func() driver.Store { return open(Config{Path: path}, opts) }
			})
		})
	}
}

// open opens a file whose key is made in no time.
func open(c Config, opts Options) *Store {
	s := New(c, opts)
	s.cost = cost{Time: 1, Memory: 64, Threads: 1}
	return s
}

func create(t *testing.T, s *Store, name, value string) {
	t.Helper()
	if err := s.Create(t.Context(), name, map[string]string{"key": value}); err != nil {
		t.Fatal(err)
	}
}

func fileOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOnlyTheUserReadsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	create(t, open(Config{Path: path}, Options{Rand: rand.Reader}), "a", "x")
	for _, file := range []string{path, path + ".lock"} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestEncryption(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	create(t, New(Config{Path: path}, passphrase("right")), "a", "the-canary")
	if data := fileOf(t, path); bytes.Contains(data, []byte("the-canary")) || bytes.Contains(data, []byte("key")) {
		t.Errorf("the file can be read:\n%s", data)
	}
	for name, opts := range map[string]Options{"another": passphrase("wrong"), "none": {Rand: rand.Reader}} {
		s := open(Config{Path: path}, opts)
		before := fileOf(t, path)
		if _, err := s.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "passphrase") {
			t.Errorf("%s: got %v", name, err)
		}
		if err := s.Create(t.Context(), "b", map[string]string{"k": "v"}); err == nil {
			t.Errorf("%s: a secret was added", name)
		}
		if !bytes.Equal(before, fileOf(t, path)) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	asked := 0
	s := open(Config{Path: path}, Options{Rand: rand.Reader, Ask: func(_ context.Context, anew bool) (string, error) {
		asked++
		if anew {
			return "", errors.New("it is not a new one")
		}
		return "right", nil
	}})
	if values, err := s.Get(t.Context(), "a"); err != nil || values["key"] != "the-canary" || asked != 1 {
		t.Errorf("got %v, %v after %d questions", values, err, asked)
	}
}

// TestEncryptionIsTurnedOnAndOff changes the attribute on a file that exists.
func TestEncryptionIsTurnedOnAndOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	sealed := func() bool { return !bytes.Contains(fileOf(t, path), []byte("the-canary")) }
	create(t, open(Config{Path: path}, Options{Rand: rand.Reader}), "a", "the-canary")
	if sealed() {
		t.Fatal("encrypted without having been told to")
	}
	create(t, open(Config{Path: path, Encryption: Passphrase}, passphrase("p")), "b", "x")
	if !sealed() {
		t.Error("not encrypted when told to")
	}
	create(t, open(Config{Path: path}, passphrase("p")), "c", "x")
	if !sealed() {
		t.Error("a later change decrypted it")
	}
	create(t, open(Config{Path: path, Encryption: None}, passphrase("p")), "d", "x")
	if sealed() {
		t.Error("not decrypted when told to")
	}
	names, err := open(Config{Path: path}, Options{Rand: rand.Reader}).Names(t.Context())
	if err != nil || strings.Join(names, " ") != "a b c d" {
		t.Errorf("left are %v, %v", names, err)
	}
}

func TestDamage(t *testing.T) {
	for name, text := range map[string]string{
		"cut":           `{"apiVersion":"proa/v1","secrets":{"a":{"key":"the-canary`,
		"other version": `{"apiVersion":"proa/v9","secrets":{"a":{"key":"the-canary"}}}`,
		"wrong type":    `{"apiVersion":"proa/v1","secrets":{"a":["the-canary"]}}`,
		"costs":         `{"apiVersion":"proa/v1","sealed":{"salt":"AA==","time":1000000,"memory":1,"threads":1}}`,
		"nonce":         `{"apiVersion":"proa/v1","sealed":{"salt":"AA==","time":1,"memory":64,"threads":1,"nonce":"AA==","data":"AA=="}}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secrets.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(Config{Path: path}, passphrase("p"))
			_, err := s.Get(t.Context(), "a")
			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
			if err := s.Create(t.Context(), "b", map[string]string{"k": "v"}); err == nil {
				t.Error("it was overwritten")
			}
		})
	}
}

package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/proa-ml/proa/internal/keyring"
	"github.com/proa-ml/proa/stack"
	"golang.org/x/crypto/argon2"
)

// keySize is that of AES-256.
const keySize = 32

// PassphraseEnv is the variable that users give the passphrase in.
const PassphraseEnv = "PROA_SECRETS_PASSPHRASE"

// lock is what a file is sealed with: a passphrase, or a key that the keyring has under a name.
type lock struct {
	passphrase string
	name       string
	key        []byte
}

// unseal decrypts what is sealed, and returns what it was sealed with.
func (s *Store) unseal(ctx context.Context, d *sealed, damaged func(why string) error) ([]byte, *lock, error) {
	if d.Keyring == "" && !d.sane() {
		return nil, nil, damaged("the cost of its key is out of bounds")
	}
	l, err := s.lockOf(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	plain, err := d.open(l)
	switch {
	case err == nil:
		return plain, l, nil
	case d.Keyring != "":
		return nil, nil, damaged("it is damaged, or the keyring has another key under the name " + d.Keyring)
	}
	return nil, nil, stack.Mistake("give the passphrase in "+PassphraseEnv, "%s can't be decrypted: the passphrase is another one, or the file is damaged", s.config.Path)
}

// lockOf finds what opens a file.
func (s *Store) lockOf(ctx context.Context, d *sealed) (*lock, error) {
	if d.Keyring != "" {
		key, err := s.keyOf(ctx, d.Keyring)
		return &lock{name: d.Keyring, key: key}, err
	}
	passphrase, err := s.passphrase(ctx, false)
	return &lock{passphrase: passphrase}, err
}

// lockFor returns what to seal with; nil leaves the file plain. before is what it was sealed with.
func (s *Store) lockFor(ctx context.Context, before *lock) (*lock, error) {
	switch s.config.Encryption {
	case None:
		return nil, nil
	case Keyring:
		if before != nil && before.name != "" {
			return before, nil
		}
		return s.newKey(ctx)
	case Passphrase:
		if before != nil && before.name == "" {
			return before, nil
		}
		passphrase, err := s.passphrase(ctx, true)
		return &lock{passphrase: passphrase}, err
	case Kept:
	}
	if before == nil && s.opts.Passphrase != nil {
		return &lock{passphrase: *s.opts.Passphrase}, nil
	}
	return before, nil
}

func (s *Store) passphrase(ctx context.Context, anew bool) (string, error) {
	switch {
	case s.opts.Passphrase != nil:
		return *s.opts.Passphrase, nil
	case s.opts.Ask != nil:
		return s.opts.Ask(ctx, anew)
	}
	return "", stack.Mistake("set "+PassphraseEnv, "the secrets in %s need a passphrase, and there is no terminal to ask for it", s.config.Path)
}

// newKey puts a new key into the keyring, under a name of its own: another file has another key.
func (s *Store) newKey(ctx context.Context) (*lock, error) {
	l, name := &lock{key: make([]byte, keySize)}, make([]byte, 8)
	for _, fill := range [][]byte{l.key, name} {
		if _, err := io.ReadFull(s.opts.Rand, fill); err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
	}
	l.name = "secrets-" + hex.EncodeToString(name)
	if err := s.opts.Keys.Set(ctx, l.name, l.key); err != nil {
		return nil, s.noKey(ctx, l.name, err)
	}
	return l, nil
}

func (s *Store) keyOf(ctx context.Context, name string) ([]byte, error) {
	key, err := s.opts.Keys.Get(ctx, name)
	if err == nil && len(key) != keySize {
		err = errors.New("what the keyring has under that name is no key")
	}
	if err != nil {
		return nil, s.noKey(ctx, name, err)
	}
	return key, nil
}

// noKey says what to do for want of the keyring, or of a key in it.
func (s *Store) noKey(ctx context.Context, name string, err error) error {
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, keyring.ErrNotFound):
		return stack.Mistake("it is in that of the user and the machine that wrote the file; move the file away to start anew",
			"%s is encrypted with the key %q of a keyring, and this one doesn't have it", s.config.Path, name)
	case errors.Is(err, keyring.ErrNone):
		return stack.Mistake("run this in a desktop session, or below `dbus-run-session`, with gnome-keyring or KeePassXC; or choose --encryption=passphrase",
			"the secrets in %s need a key in the keyring: %v", s.config.Path, err)
	}
	return stack.Mistake("unlock it: log in to the desktop, or `gnome-keyring-daemon --unlock`, which reads its password; or choose --encryption=passphrase",
		"the secrets in %s need a key in the keyring, which is locked or doesn't answer: %v", s.config.Path, err)
}

// cipher makes the cipher of a lock; what is sealed says how the key is made of a passphrase.
func (s *sealed) cipher(l *lock) (cipher.AEAD, error) {
	key := l.key
	if l.name == "" {
		key = argon2.IDKey([]byte(l.passphrase), s.Salt, s.Time, s.Memory, s.Threads, keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s *sealed) open(l *lock) ([]byte, error) {
	gcm, err := s.cipher(l)
	if err != nil {
		return nil, err
	}
	if len(s.Nonce) != gcm.NonceSize() {
		return nil, errors.New("the nonce has another size")
	}
	return gcm.Open(nil, s.Nonce, s.Data, nil)
}

func (l *lock) seal(plain []byte, c cost, random io.Reader) (*sealed, error) {
	s := &sealed{Keyring: l.name, Nonce: make([]byte, 12)}
	if l.name == "" {
		s.cost, s.Salt = c, make([]byte, 16)
	}
	for _, fill := range [][]byte{s.Salt, s.Nonce} {
		if _, err := io.ReadFull(random, fill); err != nil {
			return nil, err
		}
	}
	gcm, err := s.cipher(l)
	if err != nil {
		return nil, err
	}
	s.Data = gcm.Seal(nil, s.Nonce, plain, nil)
	return s, nil
}

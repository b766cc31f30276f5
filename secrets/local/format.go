package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/proa-ml/proa/stack"
	"golang.org/x/crypto/argon2"
)

// apiVersion is the version of the file.
const apiVersion = "proa/v1"

// document is the file: Secrets if it is plain, Sealed if it is encrypted.
type document struct {
	APIVersion string                       `json:"apiVersion"`
	Secrets    map[string]map[string]string `json:"secrets,omitempty"`
	Sealed     *sealed                      `json:"sealed,omitempty"`
}

// sealed is the JSON of the secrets under AES-256-GCM, with a key that Argon2id makes of a passphrase.
type sealed struct {
	Salt []byte `json:"salt"`
	cost
	Nonce []byte `json:"nonce"`
	Data  []byte `json:"data"`
}

// cost is what making a key costs. Files say what theirs does, so that it can change.
type cost struct {
	Time uint32 `json:"time"`
	// Memory is in KiB.
	Memory  uint32 `json:"memory"`
	Threads uint8  `json:"threads"`
}

// usualCost takes some tenths of a second.
func usualCost() cost { return cost{Time: 3, Memory: 64 << 10, Threads: 4} }

// sane says whether a key of that cost is made before the user gives up.
func (c cost) sane() bool {
	return c.Time > 0 && c.Time <= 64 && c.Threads > 0 && c.Memory <= 4<<20
}

// content is what a file holds, and how it was sealed.
type content struct {
	secrets map[string]map[string]string
	// passphrase is what it was sealed with; nil if it was plain.
	passphrase *string
}

func (s *Store) decode(ctx context.Context, data []byte) (content, error) {
	damaged := func(why string) error {
		return stack.Mistake("put a copy of the file back, or move it away to start anew", "%s can't be read: %s", s.config.Path, why)
	}
	var d document
	if json.Unmarshal(data, &d) != nil { // the error's text could hold a part of a secret
		return content{}, damaged("it is not the JSON that is expected there")
	}
	if d.APIVersion != apiVersion {
		return content{}, damaged(fmt.Sprintf("its version is %q, and this proa knows %q", d.APIVersion, apiVersion))
	}
	c := content{secrets: d.Secrets}
	if d.Sealed != nil {
		if !d.Sealed.sane() {
			return content{}, damaged("the cost of its key is out of bounds")
		}
		passphrase, err := s.passphrase(ctx, false)
		if err != nil {
			return content{}, err
		}
		plain, err := d.Sealed.open(passphrase)
		if err != nil {
			return content{}, stack.Mistake("give the passphrase in "+PassphraseEnv, "%s can't be decrypted: the passphrase is another one, or the file is damaged", s.config.Path)
		}
		if json.Unmarshal(plain, &c.secrets) != nil {
			return content{}, damaged("what is encrypted in it is not the JSON that is expected there")
		}
		c.passphrase = &passphrase
	}
	if c.secrets == nil {
		c.secrets = map[string]map[string]string{}
	}
	return c, nil
}

func (s *Store) encode(ctx context.Context, c content) ([]byte, error) {
	passphrase, err := s.sealWith(ctx, c)
	if err != nil {
		return nil, err
	}
	d := document{APIVersion: apiVersion, Secrets: c.secrets}
	if passphrase != nil {
		plain, err := json.Marshal(c.secrets)
		if err != nil {
			return nil, errors.New("encoding the secrets failed")
		}
		if d.Sealed, err = seal(plain, *passphrase, s.cost, s.opts.Rand); err != nil {
			return nil, fmt.Errorf("encrypting the secrets: %w", err)
		}
		d.Secrets = nil
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, errors.New("encoding the secrets failed")
	}
	return append(data, '\n'), nil
}

// sealWith returns the passphrase to encrypt with; nil leaves the file plain.
func (s *Store) sealWith(ctx context.Context, c content) (*string, error) {
	switch {
	case s.config.Encryption == None:
		return nil, nil
	case c.passphrase != nil:
		return c.passphrase, nil
	case s.config.Encryption == Kept:
		return s.opts.Passphrase, nil
	}
	passphrase, err := s.passphrase(ctx, true)
	return &passphrase, err
}

// PassphraseEnv is the variable that users give the passphrase in.
const PassphraseEnv = "PROA_SECRETS_PASSPHRASE"

func (s *Store) passphrase(ctx context.Context, anew bool) (string, error) {
	switch {
	case s.opts.Passphrase != nil:
		return *s.opts.Passphrase, nil
	case s.opts.Ask != nil:
		return s.opts.Ask(ctx, anew)
	}
	return "", stack.Mistake("set "+PassphraseEnv, "the secrets in %s need a passphrase, and there is no terminal to ask for it", s.config.Path)
}

func (s *sealed) cipher(passphrase string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(argon2.IDKey([]byte(passphrase), s.Salt, s.Time, s.Memory, s.Threads, 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s *sealed) open(passphrase string) ([]byte, error) {
	gcm, err := s.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	if len(s.Nonce) != gcm.NonceSize() {
		return nil, errors.New("the nonce has another size")
	}
	return gcm.Open(nil, s.Nonce, s.Data, nil)
}

func seal(plain []byte, passphrase string, c cost, random io.Reader) (*sealed, error) {
	s := &sealed{Salt: make([]byte, 16), cost: c, Nonce: make([]byte, 12)}
	for _, fill := range [][]byte{s.Salt, s.Nonce} {
		if _, err := io.ReadFull(random, fill); err != nil {
			return nil, err
		}
	}
	gcm, err := s.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	s.Data = gcm.Seal(nil, s.Nonce, plain, nil)
	return s, nil
}

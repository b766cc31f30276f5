package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/stack"
)

// apiVersion is the version of the file.
const apiVersion = "proa/v1"

// document is the file: Secrets if it is plain, Sealed if it is encrypted.
type document struct {
	APIVersion string                       `json:"apiVersion"`
	Secrets    map[string]map[string]string `json:"secrets,omitempty"`
	Sealed     *sealed                      `json:"sealed,omitempty"`
}

// sealed is the JSON of the secrets under AES-256-GCM, with a key that Argon2id makes of a passphrase, or with one in the
// user's keyring.
type sealed struct {
	// Keyring is the name of the key in the keyring; empty if it is made of a passphrase.
	Keyring string `json:"keyring,omitempty"`
	Salt    []byte `json:"salt,omitempty"`
	cost
	Nonce []byte `json:"nonce"`
	Data  []byte `json:"data"`
}

// cost is what making a key costs. Files say what theirs does, so that it can change.
type cost struct {
	Time uint32 `json:"time,omitempty"`
	// Memory is in KiB.
	Memory  uint32 `json:"memory,omitempty"`
	Threads uint8  `json:"threads,omitempty"`
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
	// lock is what it was sealed with; nil if it was plain.
	lock *lock
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
		plain, l, err := s.unseal(ctx, d.Sealed, damaged)
		if err != nil {
			return content{}, err
		}
		if json.Unmarshal(plain, &c.secrets) != nil {
			return content{}, damaged("what is encrypted in it is not the JSON that is expected there")
		}
		c.lock = l
	}
	if c.secrets == nil {
		c.secrets = map[string]map[string]string{}
	}
	return c, nil
}

func (s *Store) encode(ctx context.Context, c content) ([]byte, error) {
	l, err := s.lockFor(ctx, c.lock)
	if err != nil {
		return nil, err
	}
	d := document{APIVersion: apiVersion, Secrets: c.secrets}
	if l != nil {
		plain, err := json.Marshal(c.secrets)
		if err != nil {
			return nil, errors.New("encoding the secrets failed")
		}
		if d.Sealed, err = l.seal(plain, s.cost, s.opts.Rand); err != nil {
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

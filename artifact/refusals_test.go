package artifact_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// refusal is a change after which a server must refuse a store, and what is to be said about it.
type refusal struct {
	change func(cfg *step.Store)
	want   error
	remedy string
}

// testRefusals asks a real server for what it must refuse.
func testRefusals(t *testing.T, cfg step.Store, refusals map[string]refusal) {
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			changed := step.Store{URL: cfg.URL, Options: maps.Clone(cfg.Options)}
			c.change(&changed)
			s := openStore(t, changed)
			_, get := s.Get(t.Context(), "key")
			check := s.Check(t.Context())
			for what, err := range map[string]error{"Check": check, "Get": get, "Put": s.Put(t.Context(), "key", nil)} {
				if err == nil || (c.want != nil && !errors.Is(err, c.want)) || errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("%s: got %v, want %v", what, err, c.want)
				}
			}
			wantQuiet(t, check, cfg.Options)
			if !strings.Contains(fmt.Sprint(check), c.remedy) {
				t.Errorf("Check: got %v, want %q in it", check, c.remedy)
			}
		})
	}
}

// wantQuiet looks for secrets in an error.
func wantQuiet(t *testing.T, err error, options map[string]string) {
	t.Helper()
	for _, name := range []string{"secret", "account_key", "service_account_key"} {
		if secret := options[name]; secret != "" && strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("the error holds the %s", name)
		}
	}
	if strings.Contains(fmt.Sprint(err), "sig=") || strings.Contains(fmt.Sprint(err), "PRIVATE KEY") {
		t.Errorf("the error holds a secret: %v", err)
	}
}

// otherKey is the same account with a key that the server doesn't know.
func otherKey(t *testing.T, file string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]string
	if err := json.Unmarshal([]byte(file), &content); err != nil {
		t.Fatal(err)
	}
	content["private_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	changed, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}

func useToken(cfg *step.Store, token string) {
	delete(cfg.Options, "account_key")
	cfg.Options["sas_token"] = token
}

// sas makes a token for all containers of an account, as version 2019-12-12 of the service wants it.
func sas(cfg *step.Store, expiry time.Time, permissions string) string {
	const version, services, types = "2019-12-12", "b", "sco"
	key, err := base64.StdEncoding.DecodeString(cfg.Options["account_key"])
	if err != nil {
		panic(err) // the test's own key
	}
	until := expiry.UTC().Format(time.RFC3339)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Join([]string{cfg.Options["account_name"], permissions, services, types, "", until, "", "", version, ""}, "\n")))
	return url.Values{
		"sv": {version}, "ss": {services}, "srt": {types}, "sp": {permissions}, "se": {until},
		"sig": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}.Encode()
}

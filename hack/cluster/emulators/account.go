package main

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// account is the one service account.
type account struct {
	Email    string `json:"client_email"`
	Key      string `json:"private_key"`
	TokenURI string `json:"token_uri"`

	public *rsa.PublicKey
	// token is made of the key, so that it outlives the server.
	token string
}

func readAccount(path string) (*account, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the account's key: %w", err)
	}
	var a account
	if err := json.Unmarshal(content, &a); err != nil {
		return nil, fmt.Errorf("reading the account's key: %w", err)
	}
	block, _ := pem.Decode([]byte(a.Key))
	if block == nil {
		return nil, errors.New("reading the account's key: it is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the account's key: %w", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("reading the account's key: it is not one of RSA")
	}
	sum := hmac.New(sha256.New, block.Bytes)
	sum.Write([]byte("access token"))
	a.public, a.token = &private.PublicKey, hex.EncodeToString(sum.Sum(nil))
	return &a, nil
}

// serveToken is the exchange of RFC 7523: a signed assertion for an access token.
func (a *account) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := a.check(r.FormValue("assertion"), time.Now()); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": a.token, "token_type": "Bearer", "expires_in": 3600})
}

// check verifies an assertion: a JSON web token, signed by the account with RS256.
func (a *account) check(assertion string, now time.Time) error {
	signed, signature, _ := cut(assertion)
	_, payload, ok := strings.Cut(signed, ".")
	if !ok {
		return errors.New("the assertion is not a JSON web token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return errors.New("the assertion's signature is not base64")
	}
	sum := sha256.Sum256([]byte(signed))
	if rsa.VerifyPKCS1v15(a.public, crypto.SHA256, sum[:], raw) != nil {
		return errors.New("Invalid JWT Signature.") //nolint:staticcheck // Google's words
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	content, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(content, &claims) != nil {
		return errors.New("the assertion's claims can't be read")
	}
	if claims.Issuer != a.Email || claims.Audience != a.TokenURI || now.After(time.Unix(claims.Expires, 0)) {
		return errors.New("the assertion is for another account, for another server, or has expired")
	}
	return nil
}

// cut cuts a token before its signature.
func cut(token string) (signed, signature string, ok bool) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return "", "", false
	}
	return token[:at], token[at+1:], true
}

package mysql_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/mysql"
)

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "test authority"}}
	a.pem, a.key = a.sign(t, template)
	block, _ := pem.Decode(a.pem)
	var err error
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a certificate and its key; an authority that has no certificate yet signs its own.
func (a *authority) sign(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

// pair makes a certificate for a host, or for a client of that name, and its key, as PEM.
func (a *authority) pair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	certificate, private := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}})
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// serverArguments makes a certificate for a host, and the arguments that have the server use it.
func (a *authority) serverArguments(t *testing.T, host string) []string {
	t.Helper()
	dir := t.TempDir()
	cert, key := a.pair(t, host)
	files := map[string][]byte{"ca": a.pem, "cert": cert, "key": key}
	var arguments []string
	for name, content := range files {
		path := filepath.Join(dir, name+".pem")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, "--ssl-"+name+"="+path)
	}
	return arguments
}

func testTLS(t *testing.T, s *server, a *authority) {
	other := newAuthority(t)
	for name, c := range map[string]struct {
		ca     []byte
		verify mysql.Verify
		works  bool
	}{
		"any certificate":           {nil, mysql.VerifyNone, true},
		"the authority's":           {a.pem, mysql.VerifyCA, true},
		"another authority's":       {other.pem, mysql.VerifyCA, false},
		"for another host":          {a.pem, mysql.VerifyFull, false},
		"by default full":           {a.pem, mysql.VerifyDefault, false},
		"the machine's authorities": {nil, mysql.VerifyFull, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := fresh(t, s.config())
			config.CA, config.Verify = c.ca, c.verify
			store, err := mysql.Open(t.Context(), config, nil)
			if c.works != (err == nil) || errors.Is(err, driver.ErrUnavailable) {
				t.Fatalf("got %v, want success %v", err, c.works)
			}
			if err != nil {
				return
			}
			if err := store.CreateRun(t.Context(), driver.Run{ID: "a", Name: "a"}); err != nil {
				t.Error(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// testFullVerification reaches the server by the name in its certificate.
func testFullVerification(t *testing.T, s *server, a *authority) {
	config := fresh(t, s.config())
	address := config.Address()
	var dialled atomic.Int32
	opts := &mysql.Options{Dial: func(ctx context.Context) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	config.CA = a.pem
	for host, works := range map[string]bool{"db.example": true, "other.example": false} {
		config.Host = host
		store, err := mysql.Open(t.Context(), config, opts)
		if works != (err == nil) || errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s: got %v, want success %v", host, err, works)
		}
		if err == nil {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if dialled.Load() < 3 { // to look for the database, and then for work; and once in vain
		t.Errorf("the dialer was used %d times", dialled.Load())
	}
}

// testClientCertificate uses a user whom the server lets in with a certificate only.
func testClientCertificate(t *testing.T, s *server, a *authority) {
	config := fresh(t, s.config())
	config.Username, config.CA, config.Verify = "certified", a.pem, mysql.VerifyCA
	refused := func(t *testing.T, words string) {
		t.Helper()
		_, err := mysql.Open(t.Context(), config, nil)
		if err == nil || errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), password) {
			t.Errorf("got %v, want a refusal for good with %q", err, words)
		}
	}
	t.Run("without", func(t *testing.T) { refused(t, "certificate") })
	t.Run("of another authority", func(t *testing.T) {
		config.Cert, config.Key = newAuthority(t).pair(t, "client")
		refused(t, "certificate")
	})
	t.Run("with another one's key", func(t *testing.T) {
		config.Cert, _ = a.pair(t, "client")
		_, config.Key = a.pair(t, "client")
		refused(t, "certificate and key")
	})
	t.Run("with", func(t *testing.T) {
		config.Cert, config.Key = a.pair(t, "client")
		open(t, config)
	})
}

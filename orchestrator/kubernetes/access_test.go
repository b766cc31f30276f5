package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// selfSigned makes a certificate that ends at a given time.
func selfSigned(t *testing.T, end time.Time) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "somebody"}, DNSNames: []string{"localhost"},
		NotBefore: end.Add(-time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func TestCheckToldOfExpiredClientCertificate(t *testing.T) {
	end := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	certificate, key := selfSigned(t, end)
	config := &rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CertData: certificate, KeyData: key}}
	for now, want := range map[time.Time]string{
		end.Add(time.Minute):  `certificate that the kubeconfig has for context "work" expired on 2026-03-04`,
		end.Add(-time.Minute): "127.0.0.1:1",
	} {
		c, err := NewClient(ClientConfig{Context: "work"}, &Options{Rest: config, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		for _, check := range []error{c.Check(t.Context()), c.CheckAll(t.Context())} {
			if check == nil || !strings.Contains(check.Error(), want) {
				t.Errorf("at %s: got %v, want %s", now, check, want)
			}
		}
	}
}

func TestCheckTellsOfTheServersCertificate(t *testing.T) {
	for want, end := range map[string]time.Time{
		"the API server's certificate has expired":  time.Now().Add(-time.Minute),
		"isn't the one that the kubeconfig expects": time.Now().Add(time.Hour),
	} {
		certificate, key := selfSigned(t, end)
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.StartTLS()
		defer server.Close()
		trusted := certificate
		if end.After(time.Now()) {
			trusted, _ = selfSigned(t, end)
		}
		address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
		c, err := NewClient(ClientConfig{Context: "work"}, &Options{Rest: &rest.Config{Host: address, TLSClientConfig: rest.TLSClientConfig{CAData: trusted}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

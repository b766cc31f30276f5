package kubernetes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/tunnel"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// ca is its own certificate, as PEM.
	ca []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

// pair makes a certificate for a purpose, and for the loopback address, and its key, as PEM.
func (a *authority) pair(purpose x509.ExtKeyUsage) (cert, key []byte) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{purpose}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// front opens the one builder that runs to the loopback address: over TLS, and to clients whose certificate the authority has signed.
func (w *world) front(a *authority, pod string) (address string) {
	w.t.Helper()
	pair, err := tls.X509KeyPair(a.pair(x509.ExtKeyUsageServerAuth))
	w.check(err)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, NextProtos: []string{"h2"}})
	w.check(err)
	w.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go w.pass(conn, pod)
		}
	}()
	return "tcp://" + listener.Addr().String()
}

func (w *world) pass(conn net.Conn, pod string) {
	defer func() { _ = conn.Close() }()
	inner, err := tunnel.Open(w.ctx, tunnel.Target{Rest: w.cluster.rest, Client: w.cluster.streams, Namespace: w.cfg.Namespace, Pod: pod, Port: port})
	if err != nil {
		return
	}
	defer func() { _ = inner.Close() }()
	go func() {
		_, _ = io.Copy(inner, conn)
		_ = inner.Close()
	}()
	_, _ = io.Copy(conn, inner)
}

// overTLS builds with the builder in a pod as with a daemon that somebody keeps at an address and guards with certificates.
func (w *world) overTLS(pod string) {
	w.t.Helper()
	a, other := newAuthority(w.t), newAuthority(w.t)
	cert, key := a.pair(x509.ExtKeyUsageClientAuth)
	foreign, foreignKey := other.pair(x509.ExtKeyUsageClientAuth)
	good := buildkit.RemoteConfig{Address: w.front(a, pod), CA: a.ca, Cert: cert, Key: key, Route: w.cfg.Route}
	build := func(change func(*buildkit.RemoteConfig)) error {
		w.t.Helper()
		config := good
		change(&config)
		engine, err := buildkit.NewRemote(config)
		w.check(err)
		ctx, cancel := context.WithTimeout(w.ctx, patience)
		defer cancel()
		_, err = w.build(ctx, engine, "FROM scratch\nCOPY word /over-tls\n")
		return err
	}
	// Why a server doesn't like a certificate the client learns only if that is read before the connection breaks.
	const advice = "the builder's attributes address, ca, cert and key"
	for what, c := range map[string]struct {
		change func(*buildkit.RemoteConfig)
		kind   error
		want   string
	}{
		"another authority":        {func(c *buildkit.RemoteConfig) { c.CA = other.ca }, driver.ErrEngine, "unknown authority"},
		"no certificate of ours":   {func(c *buildkit.RemoteConfig) { c.Cert, c.Key = nil, nil }, driver.ErrEngine, advice},
		"a certificate of another": {func(c *buildkit.RemoteConfig) { c.Cert, c.Key = foreign, foreignKey }, driver.ErrEngine, advice},
		"no TLS":                   {func(c *buildkit.RemoteConfig) { c.CA, c.Cert, c.Key = nil, nil, nil }, driver.ErrEngine, advice},
		"a key that doesn't fit":   {func(c *buildkit.RemoteConfig) { c.Key = foreignKey }, driver.ErrInvalid, "don't make a pair"},
	} {
		if err := build(c.change); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			w.t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	w.check(build(func(*buildkit.RemoteConfig) {}))
}

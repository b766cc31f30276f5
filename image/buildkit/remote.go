package buildkit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/proa-ml/proa/image/driver"
)

// RemoteConfig says where a BuildKit runs that somebody else keeps.
type RemoteConfig struct {
	// Address is "tcp://host:port" or "unix:///path".
	Address string
	// CA, Cert and Key, as PEM, turn TLS on: the authority of the daemon's certificate, and this client's certificate.
	CA, Cert, Key []byte
	// Route says how it reaches the stack's registry.
	Route func(ctx context.Context) (Route, error)
}

// String keeps the key out of logs.
func (c RemoteConfig) String() string { return fmt.Sprintf("{address:%s}", c.Address) }

// GoString does so for %#v.
func (c RemoteConfig) GoString() string { return c.String() }

// Remote is a BuildKit daemon at an address.
type Remote struct{ config RemoteConfig }

var _ Engine = (*Remote)(nil)

// NewRemote returns an engine. It isn't touched before Connect.
func NewRemote(c RemoteConfig) (*Remote, error) {
	if err := CheckAddress(c.Address); err != nil {
		return nil, fmt.Errorf("the address of BuildKit can't be %q: %w", c.Address, err)
	}
	return &Remote{config: c}, nil
}

// CheckAddress says what is wrong with the address of a daemon.
func CheckAddress(address string) error {
	network, rest, found := strings.Cut(address, "://")
	switch {
	case found && network == "unix" && strings.HasPrefix(rest, "/"):
		return nil
	case found && network == "tcp":
		if h, port, err := net.SplitHostPort(rest); err == nil && h != "" && port != "" {
			return nil
		}
	}
	return errors.New("it must be tcp://HOST:PORT or unix:///PATH")
}

// String implements Engine.
func (r *Remote) String() string { return "the BuildKit at " + r.config.Address }

// PlainHTTP implements Engine.
func (r *Remote) PlainHTTP() string {
	return `add [registry."HOST:PORT"] with http = true to its buildkitd.toml`
}

// dialLimit is how long a daemon may take to answer.
const dialLimit = 10 * time.Second

// Connect implements Engine.
func (r *Remote) Connect(ctx context.Context, _ driver.Progress) (Connection, error) {
	route, err := r.config.Route(ctx)
	if err != nil {
		return nil, err
	}
	secure, err := r.tls()
	if err != nil {
		return nil, err
	}
	network, address, _ := strings.Cut(r.config.Address, "://")
	api, err := client.New(ctx, "", client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		if secure != nil {
			return (&tls.Dialer{Config: secure}).DialContext(ctx, network, address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", r, err)
	}
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	if _, err := api.Info(limited); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s doesn't answer: check that it runs, and the builder's attributes address, ca, cert "+
			"and key: %w", driver.ErrEngine, r, err), api.Close())
	}
	return remoteConnection{Pushing{API: api, Route: route}, r}, nil
}

// tls is nil if the daemon is spoken to without.
func (r *Remote) tls() (*tls.Config, error) {
	c := r.config
	if len(c.CA) == 0 && len(c.Cert) == 0 {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if len(c.CA) > 0 {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, invalid(nil, "the image builder's attribute ca holds no certificate")
		}
	}
	if len(c.Cert) > 0 {
		pair, err := tls.X509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, invalid(err, "the image builder's attributes cert and key don't make a pair")
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

type remoteConnection struct {
	Pushing
	engine *Remote
}

// Lost implements Connection.
func (c remoteConnection) Lost(_ context.Context, err error) error {
	return fmt.Errorf("%w: %s has stopped to answer during the build: check that it runs, then run the same command again: %w",
		driver.ErrEngine, c.engine, err)
}

// Close implements Connection.
func (c remoteConnection) Close(context.Context) error { return c.API.Close() }

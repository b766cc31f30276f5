package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// tls returns how to encrypt, or nil for not at all.
func (cfg Config) tls() (*tls.Config, error) {
	given := len(cfg.CA) > 0 || len(cfg.Cert) > 0 || len(cfg.Key) > 0
	verify := cfg.Verify
	if verify == VerifyDefault {
		verify = VerifyOff
		if given {
			verify = VerifyFull
		}
	}
	if verify == VerifyOff {
		if given {
			return nil, errors.New("certificates are given, and encryption is off: leave one of them out")
		}
		return nil, nil
	}
	secure := &tls.Config{ServerName: cfg.Host, MinVersion: tls.VersionTLS12}
	if err := cfg.certificates(secure); err != nil {
		return nil, err
	}
	switch verify {
	case VerifyFull:
	case VerifyNone:
		secure.InsecureSkipVerify = true //nolint:gosec // asked for
	case VerifyCA:
		secure.InsecureSkipVerify = true //nolint:gosec // VerifyConnection checks what is asked for
		secure.VerifyConnection = verifyChain(secure.RootCAs)
	default:
		return nil, fmt.Errorf("%q is not a way to check the server's certificate: off, none, ca, full", verify)
	}
	return secure, nil
}

func (cfg Config) certificates(secure *tls.Config) error {
	if len(cfg.CA) > 0 {
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(cfg.CA) {
			return errors.New("the CA holds no certificate in PEM")
		}
	}
	if len(cfg.Cert) == 0 && len(cfg.Key) == 0 {
		return nil
	}
	pair, err := tls.X509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return fmt.Errorf("reading the client's certificate and key: %w", err)
	}
	secure.Certificates = []tls.Certificate{pair}
	return nil
}

// verifyChain checks that the server's certificate comes from an authority, for whatever host.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(opts)
		return err
	}
}

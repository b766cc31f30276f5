package kubernetes

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/proa-ml/proa/step"
)

// The clocks of the machine that makes a run's certificate and of the nodes differ by an hour.
func TestCertificateOfAClockThatIsAnHourOff(t *testing.T) {
	now := time.Now()
	certificate, private, err := newCertificate(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: step.ChannelServerName, Roots: roots, CurrentTime: now.Add(skew)}); err != nil {
			t.Errorf("a node whose clock is off by %s: %v", skew, err)
		}
	}
}

package command

import (
	"crypto/x509"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trustRoots lets this process trust the authorities that browsers do where the system has no list of its own: the
// coordinator's image holds nothing but this program. It is not done in other commands, which it would slow down.
func trustRoots() {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // one that this version of Go refuses
		}
		if root.Constraint == nil {
			pool.AddCert(certificate)
		} else {
			pool.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	x509.SetFallbackRoots(pool)
}

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// webhook has the API server ask, before it takes a pod of the team in the script's namespace, a server of this test. That refuses
// the pod with the message or, if there is none, lets it pass. As long as the script's folder has a file named like the team, the
// server can't be reached.
func webhook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: webhook team [message]")
	}
	team, message := args[0], append(args, "")[1]
	host := net.ParseIP(ts.Getenv("PROA_TEST_HOST"))
	if host == nil {
		ts.Fatalf("PROA_TEST_HOST is no address at which the API server reaches this machine")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host.String(), "0"))
	ts.Check(err)
	certificate, authority, err := certificateFor(host)
	ts.Check(err)
	server := &httptest.Server{
		Listener: absentee{listener, ts.MkAbs(team)}, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Config: &http.Server{Handler: review(message), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)},
	}
	server.StartTLS()
	ts.Defer(server.Close)
	_, client := clusterOf(ts)
	hooks := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	made, err := hooks.Create(context.Background(), hook(ts.Getenv("ID"), team, server.URL, authority), metav1.CreateOptions{})
	ts.Check(err)
	ts.Defer(func() { _ = hooks.Delete(context.Background(), made.Name, metav1.DeleteOptions{}) })
}

// hook is the configuration of a webhook which sees no pods but those of the team in the namespace, and without which none of them
// is taken.
func hook(namespace, team, url string, authority []byte) *registrationv1.ValidatingWebhookConfiguration {
	fail, none, limit := registrationv1.Fail, registrationv1.SideEffectClassNone, int32(5)
	return &registrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + team},
		Webhooks: []registrationv1.ValidatingWebhook{{
			Name:         team + ".e2e.proa.dev",
			ClientConfig: registrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			Rules: []registrationv1.RuleWithOperations{{
				Operations: []registrationv1.OperationType{registrationv1.Create},
				Rule:       registrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			ObjectSelector:    &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
			FailurePolicy:     &fail, SideEffects: &none, TimeoutSeconds: &limit, AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

// review answers the API server.
func review(message string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		answer := admissionv1.AdmissionReview{TypeMeta: asked.TypeMeta, Response: &admissionv1.AdmissionResponse{
			UID: asked.Request.UID, Allowed: message == "", Result: &metav1.Status{Message: message},
		}}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// absentee hangs up on whoever connects while a file exists.
type absentee struct {
	net.Listener
	file string
}

func (a absentee) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(a.file); err != nil {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// certificateFor makes a certificate of a server at an address, and the authority by which it is trusted: itself.
func certificateFor(host net.IP) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, authority, nil
}

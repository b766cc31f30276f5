package launcher_test

import (
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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proa-ml/proa/step"
)

// coordinator is a server that writes down what it is told.
type coordinator struct {
	*httptest.Server
	handle func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	calls   []string
	log     string
	gap     bool
	outcome step.Outcome
	logThen string // the log when the outcome came
}

func newCoordinator(b *bench) *coordinator {
	b.Helper()
	c := &coordinator{}
	c.Server = httptest.NewUnstartedServer(c)
	certificate, ca := certificate(b)
	c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	c.Config.ErrorLog = log.New(io.Discard, "", 0)
	c.StartTLS()
	b.Cleanup(c.Close)
	b.access.CA = ca
	b.env = []string{step.CoordinatorEnv + "=" + strings.TrimPrefix(c.URL, "https://")}
	return c
}

// certificate makes what a run makes: a certificate that is its own authority.
func certificate(b *bench) (tls.Certificate, []byte) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{step.ChannelServerName}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (c *coordinator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.handle != nil && !c.handle(w, r) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	verb, ok := strings.CutPrefix(r.URL.Path, "/v1/attempts/"+name+"/")
	if !ok || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer "+step.Token([]byte("the run's key"), name) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	c.calls = append(c.calls, verb)
	switch verb {
	case "log":
		c.gap = c.gap || r.URL.Query().Get("offset") != itoa(len(c.log))
		c.log += string(body)
	case "outcome":
		c.logThen = c.log
		_ = json.Unmarshal(body, &c.outcome)
	}
}

func itoa(n int) string { return big.NewInt(int64(n)).String() }

func (c *coordinator) logged() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log
}

func TestCoordinatorIsTold(t *testing.T) {
	b := newBench(t)
	c := newCoordinator(b)
	l := b.start(b.invocation("print:begun", "block"))
	b.eventually("the live log", func() bool { return strings.Contains(c.logged(), "ready") })
	l.signal(15)
	l.wait()
	o := b.outcome()
	if c.calls[0] != "started" || c.calls[len(c.calls)-1] != "outcome" || c.outcome.Status != step.Cancelled || !c.outcome.Ended.Equal(o.Ended) {
		t.Errorf("calls %v, outcome %+v", c.calls, c.outcome)
	}
}

func TestWholeLogComesBeforeTheOutcome(t *testing.T) {
	b := newBench(t)
	c := newCoordinator(b)
	b.finish(b.invocation("lines:5000", "eprint:the last line"))
	stored, _ := b.object(step.LogKey(run, name))
	if c.gap || c.logThen != stored || !strings.HasSuffix(stored, "the last line\n") {
		t.Errorf("told were %d bytes of log, stored %d; a gap: %v; calls %v", len(c.logThen), len(stored), c.gap, c.calls)
	}
	if c.outcome.Status != step.Succeeded {
		t.Errorf("outcome %+v", c.outcome)
	}
}

func TestRefusingCoordinator(t *testing.T) {
	b := newBench(t)
	c := newCoordinator(b)
	b.access.Key = []byte("another key")
	begin := time.Now()
	if code, o, _ := b.finish(b.invocation("print:x")); code != 0 || o.Status != step.Succeeded {
		t.Errorf("exit code %d, outcome %+v", code, o)
	}
	if len(c.calls) > 0 || time.Since(begin) > 10*time.Second {
		t.Errorf("calls %v after %v", c.calls, time.Since(begin))
	}
}

func TestImpostorIsToldNothing(t *testing.T) {
	b := newBench(t)
	c := newCoordinator(b)
	_, b.access.CA = certificate(b)
	if code, o, _ := b.finish(b.invocation("print:x")); code != 0 || o.Status != step.Succeeded || len(c.calls) > 0 {
		t.Errorf("exit code %d, outcome %+v, calls %v", code, o, c.calls)
	}
}

// A coordinator that accepts connections and never says a word is what a lost node looks like.
func TestMuteCoordinatorHoldsNobodyUp(t *testing.T) {
	b := newBench(t)
	newCoordinator(b)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	b.env = []string{step.CoordinatorEnv + "=" + mute.Addr().String()}
	begin := time.Now()
	code, o, _ := b.finish(b.invocation("lines:50000"))
	if code != 0 || o.Status != step.Succeeded {
		t.Errorf("exit code %d, outcome %+v", code, o)
	}
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("it took %v", d)
	}
}

// The step writes much more than is kept for the coordinator, which answers nothing until the step is over.
func TestSlowCoordinatorHoldsNobodyUp(t *testing.T) {
	b := newBench(t)
	c := newCoordinator(b)
	release := make(chan struct{})
	c.handle = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/log") {
			<-release
		}
		return true
	}
	l := b.start(b.invocation("lines:300000", "print:over", "block"))
	l.awaitOutput("over")
	l.awaitOutput("ready")
	close(release)
	l.signal(15)
	l.wait()
	stored, _ := b.object(b.outcome().Log)
	if !strings.HasSuffix(c.logThen, "over\nready\n") || len(c.logThen) >= len(stored) {
		t.Errorf("told were %d bytes of %d, the end %q", len(c.logThen), len(stored), c.logThen[max(0, len(c.logThen)-20):])
	}
}

func TestCoordinatorThatComesBack(t *testing.T) {
	b := newBench(t)
	c := newCoordinator(b)
	var mu sync.Mutex
	failures := map[string]int{}
	c.handle = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if failures[r.URL.Path]++; failures[r.URL.Path] > 1 {
			return true
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	}
	l := b.start(b.invocation("print:hello", "block"))
	b.eventually("the live log", func() bool { return strings.Contains(c.logged(), "ready") })
	l.signal(15)
	l.wait()
	if c.outcome.Status != step.Cancelled || c.logThen != "hello\nready\n" || c.gap {
		t.Errorf("outcome %+v, log %q", c.outcome, c.logThen)
	}
}

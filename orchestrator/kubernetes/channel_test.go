package kubernetes

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// channelServer serves a channel over real TLS, and returns a launcher's client and the base of its addresses.
func channelServer(t *testing.T, tr *tracker, key []byte) (*http.Client, string) {
	t.Helper()
	return poolServer(t, tr, newPool(time.Now), key)
}

func poolServer(t *testing.T, tr *tracker, p *pool, key []byte) (*http.Client, string) {
	t.Helper()
	certificate, private, err := newCertificate(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &channel{run: "run-1", key: key, tracker: tr, pool: p}
	stop := c.serve(listener, pair, slog.New(slog.DiscardHandler))
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		t.Fatal("the certificate is not PEM")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: step.ChannelServerName}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := stop(); err != nil {
			t.Errorf("stopping the channel: %v", err)
		}
	})
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}, "https://" + listener.Addr().String()
}

func post(t *testing.T, client *http.Client, url, token string, body []byte) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestChannel(t *testing.T) {
	key := []byte("the run's key")
	token := step.Token(key, "attempt-1")
	outcome, err := json.Marshal(step.Outcome{Run: "run-1", Name: "attempt-1", Status: step.Succeeded})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := json.Marshal(step.Outcome{Run: "run-2", Name: "attempt-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path, token string
		body              []byte
		want              int
		told              []string
		log               string
	}{
		{"started", "attempt-1/started", token, nil, 204, []string{"attempt-1 running"}, ""},
		{"log", "attempt-1/log?offset=0", token, []byte("hello\n"), 204, []string{}, "hello\n"},
		{"outcome", "attempt-1/outcome", token, outcome, 204, []string{"attempt-1 ended succeeded"}, ""},
		{"wrong token", "attempt-1/started", step.Token(key, "attempt-2"), nil, 401, []string{}, ""},
		{"no token", "attempt-1/outcome", "", outcome, 401, []string{}, ""},
		{"unknown attempt", "attempt-9/started", step.Token(key, "attempt-9"), nil, 404, []string{}, ""},
		{"unknown path", "attempt-1/other", token, nil, 404, []string{}, ""},
		{"no offset", "attempt-1/log", token, []byte("x"), 400, []string{}, ""},
		{"another run's outcome", "attempt-1/outcome", token, foreign, 400, []string{}, ""},
		{"not JSON", "attempt-1/outcome", token, []byte("{"), 400, []string{}, ""},
		{"too much", "attempt-1/log?offset=0", token, make([]byte, maxLogPart+1), 413, []string{}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr, h, _ := trackerAt(t)
			tr.starting("attempt-1")(nil)
			client, base := channelServer(t, tr, key)
			if got := post(t, client, base+"/v1/attempts/"+test.path, test.token, test.body); got != test.want {
				t.Errorf("answer %d, want %d", got, test.want)
			}
			if diff := cmp.Diff(test.told, h.words()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if h.logs["attempt-1"] != test.log {
				t.Errorf("log %q, want %q", h.logs["attempt-1"], test.log)
			}
		})
	}
}

// A launcher that comes while nobody listens is asked to come again, not turned away.
func TestChannelBeforeWatch(t *testing.T) {
	tr := newTracker(time.Now)
	client, base := channelServer(t, tr, []byte("k"))
	if got := post(t, client, base+"/v1/attempts/a/started", step.Token([]byte("k"), "a"), nil); got != 503 {
		t.Errorf("answer %d, want 503", got)
	}
}

// A pod is told what is next by its own token only, and late.
func TestChannelNext(t *testing.T) {
	key := []byte("the run's key")
	tr, _, _ := trackerAt(t)
	p := newPool(time.Now)
	client, base := poolServer(t, tr, p, key)
	ask := func(pod, after, token string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/pods/"+pod+"/next?after="+after, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(request)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer func() { _ = response.Body.Close() }()
		var next step.Next
		if response.StatusCode == http.StatusOK {
			if err := json.NewDecoder(response.Body).Decode(&next); err != nil {
				t.Error(err)
			}
		}
		return response.StatusCode, next.Attempt
	}
	take := func(name string, want way) placement {
		t.Helper()
		c := &claim{Attempt: driver.Attempt{Name: name, Number: 1}, fit: "x", since: time.Now()}
		h, how := p.take(c)
		if how != want {
			t.Fatalf("%s gets its place in the way %d", name, how)
		}
		tr.starting(name)(nil)
		return placement{c, h, how}
	}
	p.settled(take("a", wayNew), nil)
	if code, _ := ask("a", "a", step.Token(key, "b")); code != http.StatusUnauthorized {
		t.Errorf("with another's token: %d", code)
	}
	if code, _ := ask("unknown", "a", step.Token(key, "unknown")); code != http.StatusGone {
		t.Errorf("a pod that isn't known: %d", code)
	}
	outcome, err := json.Marshal(step.Outcome{Run: "run-1", Name: "a", Status: step.Succeeded})
	if err != nil {
		t.Fatal(err)
	}
	if code := post(t, client, base+"/v1/attempts/a/outcome?more", step.Token(key, "a"), outcome); code != http.StatusNoContent {
		t.Fatalf("the outcome: %d", code)
	}
	answered := make(chan string, 1)
	go func() {
		_, attempt := ask("a", "a", step.Token(key, "a"))
		answered <- attempt
	}()
	p.settled(take("b", wayMove), nil)
	if attempt := <-answered; attempt != "b" {
		t.Errorf("told %q", attempt)
	}
	if code := post(t, client, base+"/v1/attempts/b/outcome?more", step.Token(key, "a"), outcome); code != http.StatusUnauthorized {
		t.Errorf("b's outcome with a's token: %d", code)
	}
}

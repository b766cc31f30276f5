package launcher

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/proa-ml/proa/step"
)

// channel tells the coordinator how the step goes. The coordinator may be slow, away, or out of reach: then it learns
// the outcome from the artifact store, and the step is none the worse. A nil channel tells nobody.
type channel struct {
	client *http.Client
	base   string
	token  string
	live   *live
	// more says that the launcher wants another attempt after a success.
	more bool
	// reached says that the coordinator has answered at least once; tried, that it was tried.
	reached, tried atomic.Bool
	stop           context.CancelFunc
	done           chan struct{}
}

const (
	connectTimeout = 2 * time.Second
	answerTimeout  = 10 * time.Second
	// unreachedTimeout is for a coordinator that was never reached: most likely the network forbids it.
	unreachedTimeout = 1 * time.Second
	// closing bounds how long the outcome waits for the rest of the log.
	closing = 3 * time.Second
)

// openClient returns a client for the coordinator, which a launcher has for all its attempts; nil if there is nobody to
// talk to.
func openClient(c config) (*http.Client, error) {
	if c.coordinator == "" {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.access.CA) {
		return nil, errors.New("the access file holds no certificate of the coordinator, though there is one to talk to")
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: roots, ServerName: step.ChannelServerName, MinVersion: tls.VersionTLS13},
		TLSHandshakeTimeout: connectTimeout,
		DisableCompression:  true,
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// newChannel returns nil if there is no coordinator to talk to.
func newChannel(c config) *channel {
	if c.client == nil {
		return nil
	}
	return &channel{
		client: c.client,
		base:   "https://" + c.coordinator + "/v1/attempts/" + url.PathEscape(c.attemptName),
		token:  step.Token(c.access.Key, c.attemptName),
		live:   newLive(),
		stop:   func() {},
		more:   c.pod != "",
	}
}

// log returns where to put what is to be told live.
func (c *channel) log() *live {
	if c == nil {
		return nil
	}
	return c.live
}

// started tells that the runner runs, and begins to send the log, both in the background; once is enough.
func (c *channel) started(ctx context.Context) {
	if c == nil || c.done != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	c.stop, c.done = stop, make(chan struct{})
	go func() {
		defer close(c.done)
		if c.insist(ctx, "/started") {
			c.sendLog(ctx)
		}
	}()
}

// insist posts an empty message until it arrives, or until the log is closed. It returns false if there is no use in
// sending more.
func (c *channel) insist(ctx context.Context, path string) bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := c.post(ctx, path, nil)
		if err == nil {
			return true
		}
		if refused(err) || ctx.Err() != nil || !c.live.sleep(ctx, pause) {
			return false
		}
	}
}

// finish sends the rest of the log and then the outcome, and gives up soon. It reports whether the coordinator knows that
// this launcher takes another attempt.
func (c *channel) finish(ctx context.Context, o step.Outcome) (more bool) {
	if c == nil {
		return false
	}
	c.endLog()
	data, err := json.Marshal(o)
	if err != nil {
		return false
	}
	path := "/outcome"
	if more = c.more && o.Status == step.Succeeded; more {
		path += "?more"
	}
	pauses := []time.Duration{firstPause, 4 * firstPause, 0}
	if c.tried.Load() && !c.reached.Load() {
		pauses = pauses[2:]
		limited, cancel := context.WithTimeout(ctx, unreachedTimeout)
		defer cancel()
		ctx = limited
	}
	for _, pause := range pauses {
		err := c.post(ctx, path, data)
		if err == nil {
			return more
		}
		if refused(err) {
			return false
		}
		time.Sleep(pause)
	}
	return false
}

// endLog waits until the log was sent, for a short time at most.
func (c *channel) endLog() {
	c.live.close()
	if c.done == nil {
		return
	}
	limit := closing
	if !c.reached.Load() {
		limit = unreachedTimeout
		if c.tried.Load() {
			limit = 0
		}
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.stop()
		<-c.done
	}
}

func (c *channel) close() {
	if c == nil {
		return
	}
	c.live.close()
	c.stop()
	if c.done != nil {
		<-c.done
	}
}

// refusal is an answer that won't become another one by trying again.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("the coordinator answered %d", int(r)) }

func refused(err error) bool {
	var r refusal
	return errors.As(err, &r)
}

func (c *channel) post(ctx context.Context, path string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return refusal(0)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.client.Do(request)
	c.tried.Store(true)
	if err != nil {
		return err
	}
	c.reached.Store(true)
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	_ = response.Body.Close()
	switch {
	case response.StatusCode < 300:
		return nil
	case response.StatusCode >= 500, response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("the coordinator answered %d", response.StatusCode)
	}
	return refusal(response.StatusCode)
}

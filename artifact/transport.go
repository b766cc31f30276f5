package artifact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Times that make an outage show soon; the callers try again.
const (
	dialTimeout = 4 * time.Second
	// idleTimeout bounds the time in which neither side of a connection says anything.
	idleTimeout = 9 * time.Second
	attempts    = 3
	maxBackoff  = 500 * time.Millisecond
)

// checkEndpoint refuses what is no URL of a server; instead names the options for credentials.
func checkEndpoint(endpoint, instead string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("the endpoint %q is not a URL; it looks like https://host:port", endpoint)
	}
	if u.User != nil || u.RawQuery != "" {
		return errors.New("the endpoint holds credentials; give the options " + instead + " instead")
	}
	return nil
}

// isTimeout reports whether nothing came for too long. Trying again would keep the caller from learning of the outage.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func newHTTPClient() *http.Client { return &http.Client{Transport: newTransport()} }

// newTransport makes an outage show soon.
func newTransport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &liveConn{Conn: conn, idle: idleTimeout}, nil
		},
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     idleTimeout / 2,
	}
}

// liveConn gives up when nothing has moved in either direction for a while, however long a whole transfer takes.
type liveConn struct {
	net.Conn
	idle time.Duration
}

func (c *liveConn) Read(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *liveConn) Write(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *liveConn) extend() error {
	return c.SetDeadline(time.Now().Add(c.idle)) // a connection's deadline is in real time
}

package kubernetes

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/proa-ml/proa/metadata/driver"
)

// dial connects to the server through the API server. A pod that is about to be ready is waited for as long as ctx allows:
// after the loss of one, another comes up. All errors are such that may pass.
func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	pod, err := s.readyPod(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	type answer struct {
		conn net.Conn
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		conn, err := s.forward(pod)
		answers <- answer{conn, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, s.explain(ctx, "forwarding a connection to pod "+pod, a.err))
		}
		return a.conn, nil
	case <-ctx.Done():
		go func() { // the protocol's dialer knows no contexts
			if a := <-answers; a.conn != nil {
				_ = a.conn.Close()
			}
		}()
		return nil, fmt.Errorf("%w: forwarding a connection to pod %s: %w", driver.ErrUnavailable, pod, ctx.Err())
	}
}

// readyPod returns the name of the server's pod, once it is ready.
func (s *Server) readyPod(ctx context.Context) (string, error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		pods, err := s.pods(ctx)
		if err != nil {
			return "", err
		}
		for i := range pods {
			if ready(&pods[i]) {
				return pods[i].Name, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no pod of the %s is ready (`proa metadata-store up` tells why)", s)
		case <-tick.C:
		}
	}
}

// forward opens one connection to the server's port in a pod.
func (s *Server) forward(pod string) (net.Conn, error) {
	dialer, err := s.forwarder(pod)
	if err != nil {
		return nil, err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	data, failures, err := openStreams(connection)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return newTunnel(connection, data, failures), nil
}

// forwarder speaks WebSocket to the API server, and what came before it to one that doesn't.
func (s *Server) forwarder(pod string) (httpstream.Dialer, error) {
	url := s.streams.CoreV1().RESTClient().Post().Resource("pods").Namespace(s.cfg.Namespace).Name(pod).SubResource("portforward").URL()
	socket, err := portforward.NewSPDYOverWebsocketDialer(url, s.rest)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(s.rest)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialer(socket, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

func openStreams(connection httpstream.Connection) (data, failures httpstream.Stream, err error) {
	header := http.Header{}
	header.Set(corev1.PortHeader, strconv.Itoa(port))
	header.Set(corev1.PortForwardRequestIDHeader, "0")
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	if failures, err = connection.CreateStream(header); err != nil {
		return nil, nil, err
	}
	if err := failures.Close(); err != nil { // nothing is ever written to it
		return nil, nil, err
	}
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err = connection.CreateStream(header)
	return data, failures, err
}

// tunnel is a connection through the API server. A pipe gives it the deadlines that streams don't have.
type tunnel struct {
	net.Conn
	connection httpstream.Connection
	work       sync.WaitGroup
}

func newTunnel(connection httpstream.Connection, data, failures httpstream.Stream) *tunnel {
	near, far := net.Pipe()
	t := &tunnel{Conn: near, connection: connection}
	for _, copying := range []func(){
		func() { _, _ = io.Copy(far, data) },
		func() { _, _ = io.Copy(data, far) },
		// A word on the other stream means that the pod can't be reached.
		func() { _, _ = io.Copy(io.Discard, failures) },
	} {
		t.work.Go(func() {
			copying()
			_ = far.Close() // whichever ends first ends the connection, and the user of the near end learns of it
			_ = connection.Close()
		})
	}
	return t
}

// Close ends the connection, and all that serves it.
func (t *tunnel) Close() error {
	err := t.Conn.Close()
	_ = t.connection.Close() // of which nothing is expected any more
	t.work.Wait()
	return err
}

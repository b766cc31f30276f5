// Package tunnel connects to ports of pods through the API server, as `kubectl port-forward` does, but within this process: no
// port is opened on this machine, and the pod need not be reachable from it.
package tunnel

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Target is a port of a pod.
type Target struct {
	// Rest says how the API server is reached, and Client is a client of it without a limit on the time of a call.
	Rest   *rest.Config
	Client kubernetes.Interface

	Namespace, Pod string
	Port           int
}

// Open connects to a port. Its errors are the API server's, or the context's.
func Open(ctx context.Context, t Target) (net.Conn, error) {
	type answer struct {
		conn net.Conn
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		conn, err := t.forward()
		answers <- answer{conn, err}
	}()
	select {
	case a := <-answers:
		return a.conn, a.err
	case <-ctx.Done():
		go func() { // the protocol's dialer knows no contexts
			if a := <-answers; a.conn != nil {
				_ = a.conn.Close()
			}
		}()
		return nil, fmt.Errorf("connecting to port %d of pod %s: %w", t.Port, t.Pod, ctx.Err())
	}
}

// forward opens one connection.
func (t Target) forward() (net.Conn, error) {
	dialer, err := t.dialer()
	if err != nil {
		return nil, err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	data, failures, err := t.openStreams(connection)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return newPipe(connection, data, failures), nil
}

// dialer speaks WebSocket to the API server, and what came before it to one that doesn't.
func (t Target) dialer() (httpstream.Dialer, error) {
	url := t.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(t.Namespace).Name(t.Pod).SubResource("portforward").URL()
	socket, err := portforward.NewSPDYOverWebsocketDialer(url, t.Rest)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(t.Rest)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialer(socket, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

func (t Target) openStreams(connection httpstream.Connection) (data, failures httpstream.Stream, err error) {
	header := http.Header{}
	header.Set(corev1.PortHeader, strconv.Itoa(t.Port))
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

// pipe is a connection through the API server, with the deadlines that streams don't have.
type pipe struct {
	net.Conn
	connection httpstream.Connection
	work       sync.WaitGroup
}

func newPipe(connection httpstream.Connection, data, failures httpstream.Stream) *pipe {
	near, far := net.Pipe()
	p := &pipe{Conn: near, connection: connection}
	for _, copying := range []func(){
		func() { _, _ = io.Copy(far, data) },
		func() { _, _ = io.Copy(data, far) },
		// A word on the other stream means that the pod can't be reached.
		func() { _, _ = io.Copy(io.Discard, failures) },
	} {
		p.work.Go(func() {
			copying()
			_ = far.Close() // whichever ends first ends the connection, and the user of the near end learns of it
			_ = connection.Close()
		})
	}
	return p
}

// Close ends the connection, and all that serves it.
func (p *pipe) Close() error {
	err := p.Conn.Close()
	_ = p.connection.Close() // of which nothing is expected any more
	p.work.Wait()
	return err
}

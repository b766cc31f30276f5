package kubernetes

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/proa-ml/proa/internal/tunnel"
	"github.com/proa-ml/proa/metadata/driver"
)

// dial connects to the server through the API server. A pod that is about to be ready is waited for as long as ctx allows:
// after the loss of one, another comes up. All errors are such that may pass.
func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	pod, err := s.readyPod(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	conn, err := tunnel.Open(ctx, tunnel.Target{Rest: s.rest, Client: s.streams, Namespace: s.cfg.Namespace, Pod: pod, Port: port})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, s.explain(ctx, "forwarding a connection to pod "+pod, err))
	}
	return conn, nil
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

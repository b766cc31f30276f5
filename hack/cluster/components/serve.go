package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// listenAndServe serves until ctx ends, then lets requests in flight finish for a moment.
func listenAndServe(ctx context.Context, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", server.Addr, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping the server on %s: %w", server.Addr, err)
	}
	return nil
}

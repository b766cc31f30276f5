// Package pause waits between two looks or tries.
package pause

import (
	"context"
	"time"
)

// For waits for a time, or returns ctx's error as soon as it ends.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

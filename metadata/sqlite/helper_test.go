package sqlite_test

import (
	"context"
	"time"
)

// contextWithDeadline bounds a helper process.
func contextWithDeadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

package launch

import (
	"context"
	"os"
)

// interrupts turns Ctrl-C into contexts: first ends at the first one, last at the second.
type interrupts struct {
	first, last context.Context //nolint:containedctx // they stand for signals
	stop        func()
}

func watchInterrupts(ctx context.Context, signals <-chan os.Signal) *interrupts {
	last, endLast := context.WithCancel(ctx)
	first, endFirst := context.WithCancel(last)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, end := range []context.CancelFunc{endFirst, endLast} {
			select {
			case <-signals:
				end()
			case <-last.Done():
				return
			}
		}
	}()
	return &interrupts{first: first, last: last, stop: func() { endFirst(); endLast(); <-done }}
}

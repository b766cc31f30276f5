package kit

import (
	"context"
	"os"
	"sync"
)

// EndAtInterrupt returns a context that ends at the first Ctrl-C or SIGTERM, unless a command takes them with
// [Kit.TakeInterrupts]. The second one ends the process: what doesn't look at its context is not worth waiting for twice.
func (k *Kit) EndAtInterrupt(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-k.Interrupts:
			if k.Release != nil {
				k.Release()
			}
			cancel()
		case <-quit:
		}
	}()
	k.leave = sync.OnceFunc(func() {
		close(quit)
		<-done
	})
	return ctx, func() {
		k.leave()
		cancel()
	}
}

// TakeInterrupts gives a command that ends in its own way every Ctrl-C and SIGTERM.
func (k *Kit) TakeInterrupts() <-chan os.Signal {
	if k.leave != nil {
		k.leave()
	}
	return k.Interrupts
}

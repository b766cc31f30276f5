package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/tail"
	"github.com/proa-ml/proa/step"
)

// output is where the step's output goes: to the launcher's own, live to the coordinator, and to a file, which is stored
// in parts while it grows and as a whole in the end (see step.LogKey). None of it can fail the step; only the
// launcher's own output can slow it down.
type output struct {
	l    *launcher
	live *live
	// tail is evidence for failures that the runner couldn't explain.
	tail tail.Buffer

	mu   sync.Mutex
	file *os.File
	size int64
	err  error // why the file has no more than size bytes
	// times are those of what the file holds.
	times times

	parts      int // that were stored
	stop, done chan struct{}
}

// maxLog bounds the log that is stored.
const maxLog = 1 << 30

func (l *launcher) openOutput(ctx context.Context, coordinator *channel) (*output, error) {
	file, err := os.OpenFile(l.work.log(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a file for the log: %w", err)
	}
	o := &output{l: l, live: coordinator.log(), file: file, stop: make(chan struct{}), done: make(chan struct{})}
	go o.flush(ctx)
	return o, nil
}

// Write never fails.
func (o *output) Write(p []byte) (int, error) {
	o.live.add(p)
	_, _ = o.tail.Write(p)
	o.keep(p)
	_, _ = o.l.Stdout.Write(p)
	return len(p), nil
}

func (o *output) keep(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	if o.size+int64(len(p)) > maxLog {
		o.err = fmt.Errorf("it is longer than %d bytes", maxLog)
		return
	}
	o.times.note(o.size, o.l.Now())
	n, err := o.file.Write(p)
	o.size += int64(n)
	o.err = err
}

func (o *output) length() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size
}

// flush stores the growing log every now and then, until close.
func (o *output) flush(ctx context.Context) {
	defer close(o.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-o.stop
		cancel()
	}()
	ticker := time.NewTicker(o.l.Flush)
	defer ticker.Stop()
	var stored int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if now := o.flushParts(ctx, stored); now > stored {
				stored = now
				o.storeTimes(ctx)
			}
		}
	}
}

// flushParts stores the parts that have changed since the log had a length of stored bytes, and returns the new length.
func (o *output) flushParts(ctx context.Context, stored int64) int64 {
	for size := o.length(); stored < size; {
		n := stored / step.LogPartSize
		end := min(size, (n+1)*step.LogPartSize)
		data := make([]byte, end-n*step.LogPartSize)
		if _, err := o.file.ReadAt(data, n*step.LogPartSize); err != nil {
			return stored
		}
		o.parts = max(o.parts, int(n)+1)
		if o.l.store.Put(ctx, step.LogPartKey(o.l.runID, o.l.attemptName, int(n)), data) != nil {
			return stored
		}
		stored = end
	}
	return stored
}

// close ends the storing of parts, when nothing more will be written.
func (o *output) close() {
	close(o.stop)
	<-o.done
}

// store stores the whole log, removes its parts, and returns its key; empty if the step wrote nothing.
func (o *output) store(ctx context.Context) (string, error) {
	defer func() { _ = o.file.Close() }()
	if o.err != nil {
		o.l.note("the stored log isn't complete: %v", o.err)
	}
	if o.size == 0 {
		return "", nil
	}
	o.storeTimes(ctx)
	key := step.LogKey(o.l.runID, o.l.attemptName)
	err := o.l.persist(ctx, func() error {
		return o.l.store.PutStream(ctx, key, io.NewSectionReader(o.file, 0, o.size))
	})
	switch {
	case artifact.Transient(err), errors.Is(err, context.Canceled):
		return "", fmt.Errorf("storing the log: %w", err)
	case err != nil:
		o.l.note("the log could not be stored: %v", err)
		return "", nil
	}
	for n := range o.parts {
		if err := o.l.store.Delete(ctx, step.LogPartKey(o.l.runID, o.l.attemptName, n)); err != nil {
			o.l.note("removing a part of the log: %v", err)
		}
	}
	return key, nil
}

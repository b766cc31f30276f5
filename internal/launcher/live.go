package launcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// live holds what was written and not yet sent. It has a bound: what doesn't fit pushes out the oldest bytes, so that a
// coordinator that is slow or away never holds up the step. A nil live takes nothing.
type live struct {
	mu     sync.Mutex
	data   []byte
	offset int64 // of data[0] in the log
	closed bool
	news   chan struct{} // has an element when there may be data
	ended  chan struct{} // closed with the log
}

const (
	maxLive = 1 << 20
	// batch is the time between two posts, in which bytes gather.
	batch = 100 * time.Millisecond
)

func newLive() *live {
	return &live{news: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (v *live) add(p []byte) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.data = append(v.data, p...)
	if len(v.data) > maxLive {
		// More than has to go goes, so that it isn't moved again with every write.
		extra := len(v.data) - maxLive/2
		v.offset += int64(extra)
		v.data = slices.Clone(v.data[extra:])
	}
	select {
	case v.news <- struct{}{}:
	default:
	}
}

// peek returns what is to be sent next.
func (v *live) peek() (data []byte, offset int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.data), v.offset
}

// sent forgets the bytes before an offset.
func (v *live) sent(until int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := until - v.offset; n > 0 {
		v.data = slices.Clone(v.data[n:])
		v.offset = until
	}
}

// close says that nothing more will come.
func (v *live) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		v.closed = true
		close(v.ended)
	}
}

// sleep waits; it returns false at once when the log is closed or ctx ends.
func (v *live) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-v.ended:
	}
	return false
}

// sendLog sends the log as it comes: the first bytes at once, then in batches, and when it is closed what is left.
func (c *channel) sendLog(ctx context.Context) {
	pause := firstPause
	for {
		closed := c.awaitLog(ctx)
		data, offset := c.live.peek()
		if len(data) > 0 {
			err := c.post(ctx, fmt.Sprintf("/log?offset=%d", offset), data)
			switch {
			case refused(err), ctx.Err() != nil:
				return
			case err != nil && closed:
				return
			case err != nil:
				c.live.sleep(ctx, pause)
				pause = min(2*pause, lastPause)
				c.live.wake()
				continue
			}
			pause = firstPause
			c.live.sent(offset + int64(len(data)))
		} else if closed {
			return
		}
		c.live.sleep(ctx, batch)
	}
}

// awaitLog waits for bytes to send or for the end of the log, which it reports.
func (c *channel) awaitLog(ctx context.Context) (closed bool) {
	select {
	case <-c.live.ended:
		return true
	default:
	}
	select {
	case <-c.live.news:
		return false
	case <-c.live.ended:
		return true
	case <-ctx.Done():
		return true
	}
}

// wake makes the next wait for bytes end.
func (v *live) wake() {
	select {
	case v.news <- struct{}{}:
	default:
	}
}

package launcher

import (
	"context"
	"strconv"
	"time"

	"github.com/proa-ml/proa/step"
)

// times notes when what of a log was written (see step.LogTimesKey). It is not safe for concurrent use.
type times struct {
	text []byte
	last time.Time
	gap  time.Duration
}

const (
	// timesGap is how far moments are apart at least; it is multiplied by ten each time the text has grown by timesRoom.
	timesGap  = 100 * time.Millisecond
	timesRoom = 256 << 10
)

// note adds a moment at which the log had a length of offset bytes.
func (t *times) note(offset int64, now time.Time) {
	if t.gap == 0 {
		t.gap = timesGap
	}
	if !t.last.IsZero() && now.Sub(t.last) < t.gap {
		return
	}
	t.last = now
	before := len(t.text) / timesRoom
	t.text = strconv.AppendInt(t.text, offset, 10)
	t.text = append(t.text, ' ')
	t.text = strconv.AppendInt(t.text, now.UnixMilli(), 10)
	t.text = append(t.text, '\n')
	if len(t.text)/timesRoom > before {
		t.gap *= 10
	}
}

// storeTimes stores the times. Whoever reads a log can do without them, so an error is none.
func (o *output) storeTimes(ctx context.Context) {
	o.mu.Lock()
	text := append([]byte(nil), o.times.text...)
	o.mu.Unlock()
	if len(text) > 0 {
		_ = o.l.store.Put(ctx, step.LogTimesKey(o.l.runID, o.l.attemptName), text)
	}
}

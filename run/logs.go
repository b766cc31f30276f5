package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// maxCatchUp is the most bytes of a stored log that are shown when they didn't arrive live.
const maxCatchUp = 256 << 10

// logbook passes the logs of attempts on to an observer, each byte once, and knows how far each has come.
type logbook struct {
	mu   sync.Mutex
	to   Observer
	logs map[string]*openLog
}

// openLog is the log of one attempt.
type openLog struct {
	step   string
	number int
	// next is the offset behind the last byte passed on.
	next int64
}

func newLogbook(to Observer) *logbook { return &logbook{to: to, logs: map[string]*openLog{}} }

// expect opens the log of an attempt; bytes of attempts that aren't expected are dropped.
func (b *logbook) expect(attempt, step string, number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.logs[attempt] == nil {
		b.logs[attempt] = &openLog{step: step, number: number}
	}
}

// forget closes the log of an attempt.
func (b *logbook) forget(attempt string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.logs, attempt)
}

// arrived reports whether any of an attempt's log was passed on.
func (b *logbook) arrived(attempt string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.logs[attempt]
	return l != nil && l.next > 0
}

// add passes on what is new of data.
func (b *logbook) add(attempt string, offset int64, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.logs[attempt]
	if l == nil {
		return
	}
	if offset, data = unseen(l.next, offset, data); len(data) > 0 {
		l.next = offset + int64(len(data))
		b.to.Log(l.step, l.number, offset, data)
	}
}

// catchUp passes on the end of an attempt's stored log, as far as it didn't arrive live, and returns that end.
func (b *logbook) catchUp(ctx context.Context, p parts, run, attempt string) []byte {
	b.mu.Lock()
	l := b.logs[attempt]
	b.mu.Unlock()
	if l == nil {
		return nil
	}
	end := &tail{}
	if err := copyLog(ctx, p.Artifacts, run, attempt, end); err != nil {
		p.notice(fmt.Sprintf("the log of step %s can't be shown: %v", l.step, err))
		return nil
	}
	offset, data := end.last(maxCatchUp)
	b.add(attempt, offset, data)
	return data
}

// copyLog writes an attempt's stored log: the whole object or, if the launcher was killed before it stored that, its parts.
func copyLog(ctx context.Context, store Artifacts, run, attempt string, w io.Writer) error {
	err := copyObject(ctx, store, step.LogKey(run, attempt), w)
	if !errors.Is(err, artifact.ErrNotFound) {
		return err
	}
	for n := 0; ; n++ {
		err := copyObject(ctx, store, step.LogPartKey(run, attempt, n), w)
		if errors.Is(err, artifact.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func copyObject(ctx context.Context, store Artifacts, key string, w io.Writer) error {
	r, err := store.Reader(ctx, key)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, r.Close())
}

// tail keeps the end of what is written to it.
type tail struct {
	size int64
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.size += int64(len(p))
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*maxCatchUp {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-maxCatchUp:]...)
	}
	return len(p), nil
}

// last returns at most the last limit bytes and their offset. What is cut begins with a whole line, if it has one.
func (t *tail) last(limit int) (int64, []byte) {
	data := t.kept
	if len(data) > limit {
		data = data[len(data)-limit:]
	}
	if int64(len(data)) < t.size {
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			data = data[end+1:]
		}
	}
	return t.size - int64(len(data)), data
}

package local

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// watcher is one call of Watch. What it has to tell waits in a queue, so that a slow receiver holds up nobody.
type watcher struct {
	run  string
	wake chan struct{}

	mu      sync.Mutex
	queue   []news
	pending int // bytes of log in the queue
}

// news is a status, or bytes of a log.
type news struct {
	status  *driver.Status
	attempt string
	offset  int64
	data    []byte
}

// maxPending bounds the log that waits for a slow receiver; what is beyond is dropped, as the contract allows.
const maxPending = 8 << 20

// Watch implements driver.Orchestrator.
func (o *Orchestrator) Watch(ctx context.Context, run string, known []string, events driver.Events) error {
	w := &watcher{run: run, wake: make(chan struct{}, 1)}
	o.join(w, known)
	defer o.leave(w)
	for {
		for _, n := range w.take() {
			if n.status != nil {
				events.Status(*n.status)
			} else {
				events.Log(n.attempt, n.offset, n.data)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
	}
}

// join adds a watcher and tells it what is the case.
func (o *Orchestrator) join(w *watcher, known []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watchers[w] = struct{}{}
	for _, at := range o.attempts {
		if at.Run == w.run {
			w.replay(at)
		}
	}
	for _, name := range known {
		if at := o.attempts[name]; at == nil || at.Run != w.run {
			w.add(news{status: &driver.Status{Attempt: name, Phase: driver.Ended, ExitCode: -1, Failure: &step.Failure{
				Kind:    step.FailureLost,
				Message: "the process is gone: it ended with the proa process that had started it",
			}}})
		}
	}
}

func (o *Orchestrator) leave(w *watcher) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.watchers, w)
}

// report tells all watchers of an attempt's status. The lock is held.
func (o *Orchestrator) report(at *attempt) {
	for w := range o.watchers {
		if w.run == at.Run {
			status := at.status
			w.add(news{status: &status})
		}
	}
}

// replay tells of an attempt's status and of the latest part of its log; the end comes last.
func (w *watcher) replay(at *attempt) {
	status := at.status
	told := []news{{status: &status}}
	if data, offset := at.log.content(); len(data) > 0 {
		told = append(told, news{attempt: at.Name, offset: offset, data: data})
	}
	if status.Phase == driver.Ended {
		slices.Reverse(told)
	}
	for _, n := range told {
		w.add(n)
	}
}

func (w *watcher) add(n news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.status == nil && w.pending+len(n.data) > maxPending {
		return
	}
	w.pending += len(n.data)
	w.queue = append(w.queue, n)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []news {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := w.queue
	w.queue, w.pending = nil, 0
	return queue
}

// logWriter receives what a launcher writes to its standard output: the attempt's log.
type logWriter struct {
	o  *Orchestrator
	at *attempt
}

func (l logWriter) Write(p []byte) (int, error) {
	data := bytes.Clone(p)
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	offset := l.at.log.add(data)
	for w := range l.o.watchers {
		if w.run == l.at.Run {
			w.add(news{attempt: l.at.Name, offset: offset, data: data})
		}
	}
	return len(p), nil
}

// backlog keeps the latest part of a log for those who begin to watch later.
type backlog struct {
	chunks [][]byte
	size   int
	end    int64
}

const maxBacklog = 256 << 10

// add appends a chunk and returns its offset.
func (b *backlog) add(data []byte) int64 {
	offset := b.end
	b.end += int64(len(data))
	b.chunks = append(b.chunks, data)
	b.size += len(data)
	for b.size > maxBacklog && len(b.chunks) > 1 {
		b.size -= len(b.chunks[0])
		b.chunks = b.chunks[1:]
	}
	return offset
}

func (b *backlog) content() (data []byte, offset int64) {
	return bytes.Join(b.chunks, nil), b.end - int64(b.size)
}

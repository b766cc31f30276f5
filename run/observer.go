package run

import "sync"

// Observer is told what happens in a run. Its methods are called one at a time.
type Observer interface {
	// Event tells of a fact after it was recorded. A coordinator that goes on with a run tells all of its facts again,
	// from the first on, so that whoever watches only this coordinator knows everything.
	Event(Recorded)
	// Log brings bytes that an attempt of a step wrote, from that offset of its log on. An offset beyond the bytes so far
	// means that some were left out.
	Log(step string, attempt int, offset int64, data []byte)
	// Notice brings something that is no fact of the run but good to know, such as that the engine waits for a store.
	Notice(text string)
}

// silent is the observer of those who don't want to know.
type silent struct{}

func (silent) Event(Recorded)                 {}
func (silent) Log(string, int, int64, []byte) {}
func (silent) Notice(string)                  {}

// oneAtATime makes an observer's methods callable from several goroutines.
type oneAtATime struct {
	mu sync.Mutex
	to Observer
}

func (o *oneAtATime) Event(r Recorded) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to.Event(r)
}

func (o *oneAtATime) Log(step string, attempt int, offset int64, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to.Log(step, attempt, offset, data)
}

func (o *oneAtATime) Notice(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to.Notice(text)
}

// Once returns an observer that passes on to another only what it has not yet passed on: events by their number, logs by
// their offset. Whoever reads a coordinator's lines again after a broken connection puts it in between.
func Once(to Observer) Observer { return &once{to: to, seen: map[logID]int64{}} }

type logID struct {
	step    string
	attempt int
}

type once struct {
	to   Observer
	seq  int64
	seen map[logID]int64
}

func (o *once) Event(r Recorded) {
	if r.Seq > o.seq {
		o.seq = r.Seq
		o.to.Event(r)
	}
}

func (o *once) Log(step string, attempt int, offset int64, data []byte) {
	id := logID{step, attempt}
	offset, data = unseen(o.seen[id], offset, data)
	if len(data) > 0 {
		o.seen[id] = offset + int64(len(data))
		o.to.Log(step, attempt, offset, data)
	}
}

func (o *once) Notice(text string) { o.to.Notice(text) }

// unseen cuts from data, which begins at offset, what is before the offset seen.
func unseen(seen, offset int64, data []byte) (int64, []byte) {
	if offset >= seen {
		return offset, data
	}
	if known := seen - offset; known < int64(len(data)) {
		return seen, data[known:]
	}
	return seen, nil
}

package launch

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/proa-ml/proa/internal/cli/progress"
	"github.com/proa-ml/proa/run"
)

// following is a run that is being followed.
type following struct {
	*launch
	stage *progress.Stage
	end   ending
	// heard is closed at the first event: the coordinator drives the run.
	heard chan struct{}
	once  sync.Once
	// words are what a coordinator that drove the run has said at its end. They are of interest only if no other takes over.
	words []string
	// cancelling says that the coordinator was asked to cancel.
	cancelling atomic.Bool
}

// line takes one line of the coordinator's output. What isn't an event is its own words, such as why it can't go on.
func (f *following) line(line []byte) error {
	if len(line) > 0 && line[0] != '{' {
		f.words = append(f.words, string(line))
		if f.end.events == 0 {
			f.sayWords()
		}
		return nil
	}
	if err := run.DecodeLines(newLine(line), &f.end); err != nil {
		return err
	}
	if f.end.events > 0 {
		f.once.Do(func() { close(f.heard) })
		f.arrived()
	}
	if f.end.status.Final() {
		return io.EOF
	}
	return nil
}

// waiting shows what keeps the coordinator, or the one that is to take over, from running.
func (f *following) waiting(reason string) {
	f.sayWords()
	if f.end.events > 0 {
		reason = "lost, and another takes over: " + reason
	}
	if f.stage == nil {
		f.stage = f.view.Stage("coordinator")
	}
	f.stage.Waiting(reason)
}

// arrived ends the waiting.
func (f *following) arrived() {
	if f.stage != nil {
		f.stage.Done("")
		f.stage = nil
	}
}

func (f *following) sayWords() {
	for _, words := range f.words {
		f.view.Notice("coordinator: " + words)
	}
	f.words = nil
}

// takeovers is an observer that tells, in one line, when another coordinator has taken the run over.
type takeovers struct{ *following }

func (t takeovers) Event(r run.Recorded) {
	if e, ok := r.Event.(run.RunResumed); ok {
		t.words = nil
		t.view.Notice(takeover(e))
	}
	t.sayWords()
	t.view.Event(r)
}

func (t takeovers) Log(step string, attempt int, offset int64, data []byte) {
	t.view.Log(step, attempt, offset, data)
}

func (t takeovers) Notice(text string) { t.view.Notice(text) }

// takeover is one line, whatever is known of the one before.
func takeover(e run.RunResumed) string {
	why, _, _ := strings.Cut(strings.TrimSpace(e.Before), "\n")
	if why == "" {
		return "the coordinator was lost; another has taken over"
	}
	return fmt.Sprintf("the coordinator was lost (%s); another has taken over", why)
}

// Package progress shows a person how a run goes: on a terminal as a tree of steps that is redrawn in place, with the
// steps' own lines scrolling above it; elsewhere as plain lines.
//
// Everything goes to the standard error. The standard output stays with the program that started the run, so that what a
// pipeline's script prints can be piped on.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
)

// Options say how to show.
type Options struct {
	// Live redraws in place; W must be a terminal then.
	Live bool
	// Color marks steps and statuses with colours.
	Color bool
	// Size is the terminal's width and height.
	Size func() (columns, rows int)
	Now  func() time.Time
}

// View shows one run. Its methods may be called from several goroutines.
type View struct {
	w    io.Writer
	opts Options

	mu     sync.Mutex
	model  *model
	name   string
	stages []*Stage
	logs   map[string]*logLines
	// drawn is the number of lines of the block at the bottom.
	drawn  int
	frame  int
	closed bool
	once   sync.Once
	stop   chan struct{}
	done   chan struct{}
}

var _ run.Observer = (*View)(nil)

// New makes a view. It has to be closed.
func New(w io.Writer, opts Options) *View {
	v := &View{w: w, opts: opts, logs: map[string]*logLines{}, stop: make(chan struct{}), done: make(chan struct{})}
	go v.tick()
	return v
}

// patience is how long something may wait before plain lines tell of it: every pod waits a moment for its node.
const patience = 5 * time.Second

// tick does what happens while nothing happens: on a terminal times go on, elsewhere long waits are told.
func (v *View) tick() {
	defer close(v.done)
	every := time.Second
	if v.opts.Live {
		every = 100 * time.Millisecond
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-v.stop:
			return
		case <-ticker.C:
			v.mu.Lock()
			v.frame++
			v.touch()
			v.overdue()
			v.mu.Unlock()
		}
	}
}

// overdue tells of what has waited for long. A terminal shows it anyway.
func (v *View) overdue() {
	if v.opts.Live || v.closed {
		return
	}
	now := v.opts.Now()
	for _, s := range v.stages {
		if s.waiting != s.told && now.Sub(s.since) >= patience {
			s.told = s.waiting
			v.say(s.name + ": " + s.waiting)
		}
	}
	if v.model == nil {
		return
	}
	for _, n := range v.model.nodes {
		if n.reason != n.told && n.status == run.StepPending && now.Sub(n.since) >= patience {
			n.told = n.reason
			v.say(v.line(n))
		}
	}
}

// Close ends the view; what is drawn stays.
func (v *View) Close() {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return
	}
	v.closed = true
	v.flushAll()
	if v.opts.Live {
		v.redraw("")
		v.drawn = 0
	}
	v.mu.Unlock()
	v.finish()
}

// finish ends the animation.
func (v *View) finish() {
	v.once.Do(func() { close(v.stop) })
	<-v.done
}

// Begin shows a run's steps.
func (v *View) Begin(name string, p *plan.Plan) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.name, v.model = name, newModel(p)
	v.say(fmt.Sprintf("Run %s: %s", name, inspect.Count(len(p.Steps), "step")))
}

// Event implements run.Observer.
func (v *View) Event(r run.Recorded) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.model == nil {
		return
	}
	n := v.model.apply(r)
	if _, late := r.Event.(run.DeadlineExceeded); late {
		v.say("The run takes longer than it may (active_deadline_seconds): stopping what runs.")
		return
	}
	if n == nil {
		v.touch()
		return
	}
	if n.status.Final() || n.retry != nil {
		v.flush(n.name)
	}
	text := v.line(n)
	if text == "" || n.status == run.StepPending || (v.opts.Live && n.failure == nil) {
		v.touch()
		return
	}
	v.say(text)
}

// Log implements run.Observer.
func (v *View) Log(step string, attempt int, offset int64, data []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.logs[step]
	if l == nil || l.attempt < attempt {
		v.flush(step)
		l = &logLines{attempt: attempt}
		v.logs[step] = l
	}
	if l.attempt > attempt {
		return
	}
	if lines := l.add(offset, data); len(lines) > 0 {
		v.say(v.prefixed(step, lines))
	}
}

// Notice implements run.Observer: something that the user should know, such as a store that is away.
func (v *View) Notice(text string) { v.Say(v.paint(yellow, "! ") + text) }

// Say prints a line.
func (v *View) Say(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.say(text)
}

func (v *View) say(text string) {
	if v.opts.Live && !v.closed {
		v.redraw(text + "\n")
		return
	}
	_, _ = io.WriteString(v.w, text+"\n")
}

// touch shows a change that isn't worth a line of its own.
func (v *View) touch() {
	if v.opts.Live && !v.closed {
		v.redraw("")
	}
}

// redraw replaces the block at the bottom, after printing above it. It writes once, so that nothing flickers.
func (v *View) redraw(above string) {
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", v.drawn)
	}
	b.WriteString(above)
	lines := v.block()
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	v.drawn = len(lines)
	_, _ = io.WriteString(v.w, b.String())
}

func (v *View) flushAll() {
	if v.model == nil {
		return
	}
	for _, n := range v.model.nodes {
		v.flush(n.name)
	}
}

// flush prints the last line of a step's log if it had no end.
func (v *View) flush(step string) {
	l := v.logs[step]
	if l == nil {
		return
	}
	if lines := l.rest(); len(lines) > 0 {
		v.say(v.prefixed(step, lines))
	}
}

func (v *View) prefixed(step string, lines []string) string {
	prefix := v.paint(v.colorOf(step), inspect.Label(step)) + v.paint(dim, " | ")
	return prefix + strings.Join(lines, "\n"+prefix)
}

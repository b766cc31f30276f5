package runs

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/run"
)

// logPoll is how often growing logs are looked at.
const logPoll = time.Second

// stampFormat is how times stand before lines.
const stampFormat = "2006-01-02T15:04:05.000Z07:00"

// logShow prints the logs of a run's steps.
type logShow struct {
	noun
	stores  kit.Stores
	options logOptions
	after   time.Time
	// only restricts it to one step, if not empty.
	only    string
	cursors map[string]*cursor
	// reached is the number of the latest attempt of each step that was there when logs were looked at last; nil before
	// the first time.
	reached map[string]int
}

// cursor is how far the log of a step has been printed.
type cursor struct {
	attempt inspect.Attempt
	offset  int64
	lines   *lineWriter
}

// run prints what there is, and what comes if that is asked for.
func (s *logShow) run(ctx context.Context, r inspect.Run) error {
	for {
		over := run.Status(r.Status).Final()
		if err := s.round(ctx, r); err != nil {
			return err
		}
		if over || !s.options.follow {
			return s.end()
		}
		if err := pause.For(ctx, logPoll); err != nil {
			return err
		}
		var err error
		if r, err = inspect.Read(ctx, s.stores.Metadata, r.ID); err != nil {
			return err
		}
	}
}

func (s *logShow) over(ctx context.Context, id string) (bool, error) {
	r, err := s.stores.Metadata.Run(ctx, id)
	return run.Status(r.Status).Final(), err
}

// round looks at each step once.
func (s *logShow) round(ctx context.Context, r inspect.Run) error {
	reached := map[string]int{}
	for _, st := range r.Steps {
		if s.only != "" && s.only != st.Name {
			continue
		}
		attempts, err := s.due(ctx, r, st)
		if err != nil {
			return err
		}
		for _, attempt := range attempts {
			if err := s.attempt(ctx, st, attempt); err != nil {
				return err
			}
		}
		reached[st.Name] = st.Attempt
	}
	s.reached = reached
	return nil
}

// due returns the attempts of a step whose logs may have something new: the one that is wanted, or the latest and, when
// logs were looked at before, those that there were since.
func (s *logShow) due(ctx context.Context, r inspect.Run, st inspect.Step) ([]inspect.Attempt, error) {
	last := st.Attempt
	switch {
	case s.options.attempt > 0:
		return []inspect.Attempt{inspect.AttemptOf(r, st.Name, s.options.attempt)}, nil
	case last == 0:
		taken, err := inspect.LogOf(ctx, s.stores.Metadata, r.ID, st.Name)
		return []inspect.Attempt{taken}, err
	}
	first := last
	if s.reached != nil {
		first = max(s.reached[st.Name], 1)
	}
	var all []inspect.Attempt
	for n := first; n <= last; n++ {
		all = append(all, inspect.AttemptOf(r, st.Name, n))
	}
	return all, nil
}

// attempt prints what is new of an attempt's log. Should the step have been at another one, what is left of that comes
// first.
func (s *logShow) attempt(ctx context.Context, st inspect.Step, attempt inspect.Attempt) error {
	if attempt.Name == "" {
		return nil
	}
	c := s.cursors[st.Name]
	if c != nil && c.attempt != attempt {
		if err := s.more(ctx, c); err != nil {
			return err
		}
		if err := c.lines.end(); err != nil {
			return err
		}
		c = nil
	}
	if c == nil {
		c = &cursor{attempt: attempt, lines: &lineWriter{to: s.Out, show: s}}
		if s.only == "" {
			c.lines.prefix = inspect.Label(st.Name) + " | "
		}
		s.cursors[st.Name] = c
	}
	if err := s.more(ctx, c); err != nil {
		return err
	}
	if !s.options.follow {
		return c.lines.end()
	}
	return nil
}

// more prints what is new of a log.
func (s *logShow) more(ctx context.Context, c *cursor) error {
	if !s.plain() {
		times, err := inspect.ReadTimes(ctx, s.stores.Artifacts, c.attempt)
		if err != nil {
			return err
		}
		c.lines.times = times
	}
	var err error
	var w io.Writer = c.lines
	if s.plain() && c.lines.prefix == "" {
		w = s.Out // byte by byte, as they were written
	}
	c.offset, err = inspect.CopyLogFrom(ctx, s.stores.Artifacts, c.attempt, c.offset, w)
	return err
}

// plain says that lines need no times.
func (s *logShow) plain() bool { return !s.options.timestamps && s.after.IsZero() }

// end prints last lines that have no end.
func (s *logShow) end() error {
	for _, c := range s.cursors {
		if err := c.lines.end(); err != nil {
			return err
		}
	}
	return nil
}

// maxLine is the longest line that is kept together.
const maxLine = 64 << 10

// lineWriter prints whole lines, each behind what has to stand before it.
type lineWriter struct {
	to     io.Writer
	show   *logShow
	prefix string
	times  inspect.Times
	// line is the line that has no end yet, begun where it begins in the log.
	line  []byte
	begun int64
}

func (w *lineWriter) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		w.line = append(w.line, rest[:end]...)
		rest = rest[end:]
		if w.line[len(w.line)-1] != '\n' && len(w.line) < maxLine {
			break
		}
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}

// flush prints the line.
func (w *lineWriter) flush() error {
	line := w.line
	at := w.times.At(w.begun)
	w.begun += int64(len(line))
	w.line = w.line[:0]
	if !at.IsZero() && at.Before(w.show.after) {
		return nil
	}
	before := w.prefix
	if w.show.options.timestamps && !at.IsZero() {
		before += at.UTC().Format(stampFormat) + " "
	}
	if line[len(line)-1] != '\n' {
		line = append(line, '\n')
	}
	_, err := w.to.Write(append([]byte(before), line...))
	return err
}

// end prints a last line that has no end.
func (w *lineWriter) end() error {
	if len(w.line) == 0 {
		return nil
	}
	return w.flush()
}

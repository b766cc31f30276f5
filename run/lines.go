package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/proa-ml/proa/metadata/driver"
)

// line is one line of the encoding of what an observer is told. Exactly one field is set.
type line struct {
	Event  *eventLine `json:"event,omitempty"`
	Log    *logLine   `json:"log,omitempty"`
	Notice string     `json:"notice,omitempty"`
}

type eventLine struct {
	Seq  int64           `json:"seq"`
	Time time.Time       `json:"time"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

type logLine struct {
	Step    string `json:"step"`
	Attempt int    `json:"attempt"`
	Offset  int64  `json:"offset"`
	Data    []byte `json:"data"`
}

// maxLogLine is the most bytes of a log in one line: with it, a line stays below the 16 KiB at which container runtimes
// break lines.
const maxLogLine = 8 << 10

// NewLineObserver returns an observer that writes what it is told to w as lines of JSON, for DecodeLines to read. It ignores
// errors: a run doesn't fail because nobody listens.
func NewLineObserver(w io.Writer) Observer { return &lineObserver{w} }

type lineObserver struct{ w io.Writer }

func (o *lineObserver) Event(r Recorded) {
	if row, err := encode(r); err == nil {
		o.write(line{Event: &eventLine{row.Seq, row.Time, row.Kind, row.Data}})
	}
}

func (o *lineObserver) Log(step string, attempt int, offset int64, data []byte) {
	for len(data) > 0 {
		part := data[:min(len(data), maxLogLine)]
		o.write(line{Log: &logLine{step, attempt, offset, part}})
		data, offset = data[len(part):], offset+int64(len(part))
	}
}

func (o *lineObserver) Notice(text string) { o.write(line{Notice: text}) }

func (o *lineObserver) write(l line) {
	data, err := json.Marshal(l)
	if err != nil {
		return
	}
	_, _ = o.w.Write(append(data, '\n')) // one write, so that lines of others don't get in between
}

// DecodeLines tells an observer what a line observer wrote, until r ends. Lines that are something else are left out: the
// beginning of r may be in the middle of a line, and other programs may write to the same stream. So are events that a
// newer version wrote and this one doesn't know.
func DecodeLines(r io.Reader, to Observer) error {
	for lines := bufio.NewReader(r); ; {
		data, err := lines.ReadBytes('\n')
		decodeLine(bytes.TrimSpace(data), to)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the run's progress: %w", err)
		}
	}
}

func decodeLine(data []byte, to Observer) {
	var l line
	if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, &l) != nil {
		return
	}
	switch {
	case l.Event != nil:
		e := driver.Event{Seq: l.Event.Seq, Time: l.Event.Time, Kind: l.Event.Kind, Data: l.Event.Data}
		if recorded, err := Decode(e); err == nil {
			to.Event(recorded)
		}
	case l.Log != nil:
		to.Log(l.Log.Step, l.Log.Attempt, l.Log.Offset, l.Log.Data)
	case l.Notice != "":
		to.Notice(l.Notice)
	}
}

package run_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// notes writes down what an observer is told.
type notes struct{ lines []string }

func (n *notes) Event(r run.Recorded) {
	n.lines = append(n.lines, fmt.Sprintf("%d %s %+v", r.Seq, r.Time.Format(time.RFC3339Nano), r.Event))
}

func (n *notes) Log(step string, attempt int, offset int64, data []byte) {
	n.lines = append(n.lines, fmt.Sprintf("%s/%d@%d %q", step, attempt, offset, data))
}

func (n *notes) Notice(text string) { n.lines = append(n.lines, text) }

// story tells an observer a bit of everything.
func story(o run.Observer) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
	o.Event(run.Recorded{Seq: 1, Time: at, Event: run.RunStarted{Mode: run.FailFast, Holder: "h"}})
	o.Log("a", 1, 0, []byte("héllo\xff\n"))
	o.Notice("the store is away")
	o.Log("a", 1, 8, []byte("more\n"))
	o.Event(run.Recorded{Seq: 2, Time: at, Event: run.StepCached{Step: "b", Key: "k", From: "r", Outputs: map[string]step.Artifact{"o": {Digest: "d"}}}})
}

func TestLinesCarryEverything(t *testing.T) {
	var want, got notes
	story(&want)
	var lines bytes.Buffer
	lines.WriteString("ing\"}}\nan unrelated line\n{\"event\": 7}\n{\"event\":{\"seq\":9,\"kind\":\"from-the-future\"}}\n\n{}\n")
	story(run.NewLineObserver(&lines))
	lines.WriteString(`{"notice":"cut`)
	if err := run.DecodeLines(iotest.OneByteReader(&lines), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.lines, got.lines); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestLinesAreShort(t *testing.T) {
	var lines bytes.Buffer
	text := strings.Repeat("x", 100_000)
	run.NewLineObserver(&lines).Log("a", 1, 0, []byte(text))
	for line := range strings.Lines(lines.String()) {
		if len(line) > 16<<10 {
			t.Fatalf("a line has %d bytes; container runtimes break it", len(line))
		}
	}
	var got strings.Builder
	if err := run.DecodeLines(&lines, logWriter{&got}); err != nil || got.String() != text {
		t.Errorf("%d bytes came back, error %v", got.Len(), err)
	}
}

// logWriter is an observer that writes logs to a writer, checking their offsets.
type logWriter struct{ to *strings.Builder }

func (logWriter) Event(run.Recorded) {}
func (logWriter) Notice(string)      {}
func (w logWriter) Log(_ string, _ int, offset int64, data []byte) {
	if offset == int64(w.to.Len()) {
		w.to.Write(data)
	}
}

func TestDecodeLinesReportsABrokenReader(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := run.DecodeLines(iotest.ErrReader(broken), &notes{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := run.DecodeLines(iotest.ErrReader(io.EOF), &notes{}); err != nil {
		t.Errorf("the end is an error: %v", err)
	}
}

func TestOnceDropsWhatWasSeen(t *testing.T) {
	var want, got notes
	story(&want)
	once := run.Once(&got)
	story(once)
	once.Event(run.Recorded{Seq: 1, Event: run.RunResumed{}})
	once.Log("a", 1, 0, []byte("héllo\xff\nmore\n"))
	once.Log("a", 1, 11, []byte("e\nnew\n"))
	want.lines = append(want.lines, `a/1@13 "new\n"`)
	if diff := cmp.Diff(want.lines, got.lines); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestCreateNames(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 24, 8, 31, 7, 123456789, time.UTC) }
	store := memory.New()
	for _, c := range []struct{ pipeline, want string }{
		{"digits_pipeline", `^digits_pipeline-2026-11-24-08-31-07-123456$`},
		{"digits_pipeline", `^digits_pipeline-2026-11-24-08-31-07-123457$`},
		{"Prévision à/midi $(rm)", `^Prévision-à-midi---rm-2026-`},
		{strings.Repeat("é ", 100), `^(é-){39}é-2026-`},
		{" - ", `^run-2026-`},
	} {
		r, err := run.Create(t.Context(), store, mdriver.Run{Pipeline: c.pipeline, Spec: []byte("{}"), Plan: []byte("{}")}, &run.CreateOptions{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(c.want).MatchString(r.Name) || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(r.ID) {
			t.Errorf("a run of %q is %q, %q; want a name like %s", c.pipeline, r.Name, r.ID, c.want)
		}
		if got, err := store.Run(t.Context(), r.Name); err != nil || got.Status != "pending" || got.Pipeline != c.pipeline {
			t.Errorf("stored: %+v, %v", got, err)
		}
	}
}

func TestCreateGivesUp(t *testing.T) {
	_, err := run.Create(t.Context(), memory.New(), mdriver.Run{Pipeline: "p"}, &run.CreateOptions{Rand: iotest.ErrReader(errors.New("no entropy"))})
	if err == nil || !strings.Contains(err.Error(), "no entropy") {
		t.Errorf("got %v", err)
	}
}

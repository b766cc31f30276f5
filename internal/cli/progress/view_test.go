package progress

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func diamond() *plan.Plan {
	return &plan.Plan{Steps: []plan.Step{
		{Name: "importer"}, {Name: "trainer", Needs: []string{"importer"}}, {Name: "other", Needs: []string{"importer"}},
	}}
}

// play shows some events, one a second, and returns what is written.
func play(t *testing.T, opts Options, events ...run.Event) string {
	t.Helper()
	var out strings.Builder
	opts.Now = func() time.Time { return start.Add(time.Duration(len(events)) * time.Second) }
	v := New(&out, opts)
	v.Begin("run-1", diamond())
	for i, e := range events {
		r := run.Recorded{Seq: int64(i + 1), Time: start.Add(time.Duration(i) * time.Second), Event: e}
		v.Event(r)
		v.Event(r) // a coordinator that was replaced tells everything again
	}
	v.Log("trainer", 1, 0, []byte("one\ntw"))
	v.Log("trainer", 1, 4, []byte("two\n"))
	v.Log("trainer", 1, 0, []byte("one\n"))
	v.Log("trainer", 1, 8, []byte("no end"))
	v.Summary(start)
	v.Close()
	return out.String()
}

func history() []run.Event {
	return []run.Event{
		run.RunStarted{},
		run.StepCached{Step: "importer", From: "earlier"},
		run.AttemptPlanned{Step: "trainer", Number: 1},
		run.AttemptPending{Step: "trainer", Number: 1, Reason: "waiting for a node"},
		run.AttemptRunning{Step: "trainer", Number: 1},
		run.AttemptEnded{Step: "trainer", Number: 1, Outcome: step.Outcome{Status: step.Failed, Failure: &step.Failure{
			Kind: step.FailureUser, Type: "ValueError", Message: "bad luck", Traceback: "Traceback:\n  here\n",
		}}},
		run.StepSkipped{Step: "other", Because: "trainer"},
		run.RunEnded{Status: run.Failed},
	}
}

func TestStageAwayFromATerminal(t *testing.T) {
	var out strings.Builder
	v := New(&out, Options{Now: func() time.Time { return start }})
	s := v.Stage("image")
	s.Detail("1 of 9 MB")
	s.Phase("resolving 2 requirements")
	s.Note("the code is 60 MB")
	s.Done("built and pushed")
	v.Close()
	want := "image: resolving 2 requirements\nimage: the code is 60 MB\nimage: built and pushed in 0ms\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestPlainLines(t *testing.T) {
	want := `Run run-1: 3 steps
step importer is cached (run earlier)
step trainer started
step trainer failed after 1.0s (user): ValueError: bad luck
  Traceback:
    here
  -> correct the code and go on from there with ` + "`proa runs resume`" + `
  its log: proa runs logs run-1 trainer
step other is skipped because step trainer failed
trainer | one
trainer | two
trainer | no end
↺ importer   cached
✘   trainer  failed 1.0s
–   other    skipped
Run run-1 failed in 8.0s
`
	if diff := cmp.Diff(want, play(t, Options{}, history()...)); diff != "" {
		t.Errorf("plain lines (-want +got):\n%s", diff)
	}
}

func TestLiveDrawsOverItself(t *testing.T) {
	out := play(t, Options{Live: true, Size: func() (int, int) { return 40, 24 }}, history()...)
	screen := render(out)
	for _, want := range []string{"trainer | two", "✘   trainer  failed 1.0s", "Run run-1 failed in 8.0s", "ValueError: bad luck"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen)
		}
	}
	if got := strings.Count(screen, "↺ importer"); got != 1 {
		t.Errorf("the tree is on the screen %d times:\n%s", got, screen)
	}
	if regexp.MustCompile(`\x1b\[\d+m`).MatchString(out) {
		t.Error("there are colours although none were asked for")
	}
}

// render does what a terminal does with the few sequences that the view uses.
func render(out string) string {
	var lines []string
	line := ""
	for len(out) > 0 {
		switch {
		case out[0] == '\n':
			lines, line = append(lines, line), ""
			out = out[1:]
		case out[0] == '\r':
			line, out = "", out[1:]
		case strings.HasPrefix(out, "\x1b[J"):
			out = out[3:]
		case strings.HasPrefix(out, "\x1b["):
			end := strings.IndexByte(out, 'A')
			up := 0
			for _, digit := range out[2:end] {
				up = up*10 + int(digit-'0')
			}
			lines, out = lines[:len(lines)-up], out[end+1:]
		default:
			line, out = line+out[:1], out[1:]
		}
	}
	return strings.Join(append(lines, line), "\n")
}

func TestManyStepsFitTheTerminal(t *testing.T) {
	p := &plan.Plan{}
	for i := range 500 {
		p.Steps = append(p.Steps, plan.Step{Name: strings.Repeat("x", 100) + string(rune('a'+i%26))})
	}
	v := New(&strings.Builder{}, Options{Now: func() time.Time { return start }, Size: func() (int, int) { return 60, 20 }})
	defer v.Close()
	v.Begin("big", p)
	lines := v.block()
	if len(lines) > 19 {
		t.Errorf("%d lines on a terminal of 20", len(lines))
	}
	for _, line := range lines {
		if n := len([]rune(line)); n > 60 {
			t.Errorf("a line of %d columns on a terminal of 60: %s", n, line)
		}
	}
}

func TestRetry(t *testing.T) {
	later := start.Add(30 * time.Second)
	out := play(t, Options{},
		run.AttemptPlanned{Step: "trainer", Number: 1}, run.AttemptRunning{Step: "trainer", Number: 1},
		run.AttemptEnded{Step: "trainer", Number: 1, Retry: &later, Outcome: step.Outcome{
			Status: step.Failed, Failure: &step.Failure{Kind: step.FailureLost, Message: "it vanished"},
		}},
		run.AttemptPlanned{Step: "trainer", Number: 2}, run.AttemptRunning{Step: "trainer", Number: 2})
	for _, want := range []string{"step trainer is tried again in 25.0s (lost: it vanished)", "step trainer started (attempt 2)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestLogLinesAreSafe(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                          "plain",
		"10%\r50%\r100%\r":               "100%",
		"\x1b[31mred\x1b[0m":             "red",
		"up\x1b[2Aand away":              "upand away",
		"bell\a":                         "bell",
		"bad \xff utf8":                  "bad \uFFFD utf8",
		"tab\tstays":                     "tab\tstays",
		"unfinished escape at the \x1b[": "unfinished escape at the ",
	} {
		if got := clean([]byte(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestLongLinesAreBroken(t *testing.T) {
	l := &logLines{}
	if got := len(l.add(0, []byte(strings.Repeat("x", 3*longestLine)))); got < 2 {
		t.Errorf("a line without end is kept in memory: %d lines", got)
	}
}

// A step that writes faster than it can be followed has its log shown with gaps, and each gap is told.
func TestWhatIsLeftOutOfALogIsTold(t *testing.T) {
	l := &logLines{}
	got := append(l.add(0, []byte("one\ntw")), l.add(1000, []byte("ail\nlast\n"))...)
	want := []string{"one", "tw", "[994 bytes came too fast to be shown; `proa runs logs` has all of it]", "ail", "last"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A name with line breaks and control characters takes one line wherever it is shown.
func TestNamesWithLineBreaksTakeOneLine(t *testing.T) {
	const odd = "train\nthe \x1b[2Jmodel 🚀"
	var out strings.Builder
	v := New(&out, Options{Now: func() time.Time { return start }})
	v.Begin("run-1", &plan.Plan{Steps: []plan.Step{{Name: odd}}})
	for i, e := range []run.Event{run.AttemptPlanned{Step: odd, Number: 1}, run.AttemptRunning{Step: odd, Number: 1}} {
		v.Event(run.Recorded{Seq: int64(i + 1), Time: start, Event: e})
	}
	v.Log(odd, 1, 0, []byte("hello\n"))
	v.Summary(start)
	for _, line := range []string{"step train the  [2Jmodel 🚀 started\n", "train the  [2Jmodel 🚀 | hello\n", "train the  [2Jmodel 🚀  running"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q in:\n%s", line, out.String())
		}
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Errorf("a control character is printed: %q", out.String())
	}
}

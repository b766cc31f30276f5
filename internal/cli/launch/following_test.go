package launch

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/internal/cli/progress"
	"github.com/proa-ml/proa/run"
)

// told is what the client says while it follows coordinators that write these lines.
func told(t *testing.T, lines ...string) []string {
	t.Helper()
	var out bytes.Buffer
	l := &launch{view: progress.New(&out, progress.Options{Now: time.Now})}
	f := &following{launch: l, heard: make(chan struct{})}
	f.end.Observer = run.Once(takeovers{f})
	for _, line := range lines {
		if reason, ok := strings.CutPrefix(line, "waiting: "); ok {
			f.waiting(reason)
			continue
		}
		if err := f.line([]byte(line)); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	l.view.Close()
	return slices.DeleteFunc(strings.Split(out.String(), "\n"), func(line string) bool { return line == "" })
}

// written are the lines in which a coordinator tells events, numbered from 1 on.
func written(events ...run.Event) (lines []string) {
	var out bytes.Buffer
	o := run.NewLineObserver(&out)
	for i, e := range events {
		o.Event(run.Recorded{Seq: int64(i + 1), Time: time.Now(), Event: e})
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestTakeoverIsToldInOneLine(t *testing.T) {
	first := written(run.RunStarted{})
	second := written(run.RunStarted{}, run.RunResumed{Before: "panic: on fire\n\ngoroutine 1 [running]:"})
	third := written(run.RunStarted{}, run.RunResumed{Before: "panic: on fire"}, run.RunResumed{}, run.RunEnded{Status: run.Succeeded})
	crash := []string{"panic: on fire", "", "goroutine 1 [running]:"}
	got := told(t, slices.Concat(first, crash, second, []string{"waiting: waiting for the coordinator's pod"}, third)...)
	want := []string{
		"! the coordinator was lost (panic: on fire); another has taken over",
		"! the coordinator was lost; another has taken over",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the client said (-want +got):\n%s", diff)
	}
}

// A coordinator that doesn't get as far as the run, or that nobody replaces, has something to say.
func TestWordsOfACoordinatorThatCanNotGoOn(t *testing.T) {
	for name, c := range map[string]struct{ lines, want []string }{
		"at its start":     {[]string{"Error: no store"}, []string{"! coordinator: Error: no store"}},
		"again and again":  {append(written(run.RunStarted{}), "Error: no store", "waiting: back-off"), []string{"! coordinator: Error: no store"}},
		"and then goes on": {append([]string{written(run.RunStarted{})[0], "odd"}, written(run.RunStarted{}, run.DeadlineExceeded{})[1]), []string{"! coordinator: odd"}},
	} {
		if diff := cmp.Diff(c.want, told(t, c.lines...)); diff != "" {
			t.Errorf("%s: the client said (-want +got):\n%s", name, diff)
		}
	}
}

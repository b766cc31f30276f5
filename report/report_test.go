package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

var begin = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// evil is what must not become a part of the page, whatever it is the value of.
const evil = `</script></style></pre><script>alert(1)</script><img src=x onerror=alert(2)>" onload="alert(3)' & ` + "\x1b[31mred\x1b[0m \xff\xfe \u202e"

// world is a run, under construction.
type world struct {
	*testing.T
	m      *memory.Store
	a      *artifact.Store
	plan   plan.Plan
	spec   spec.Pipeline
	events []driver.Event
	steps  []driver.Step
}

func newWorld(t *testing.T) *world {
	a, err := artifact.Open(t.Context(), step.Store{URL: artifact.FileURL(t.TempDir())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return &world{T: t, m: memory.New(), a: a}
}

func (w *world) event(at float64, kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		w.Fatal(err)
	}
	w.events = append(w.events, driver.Event{Seq: int64(len(w.events) + 1), Time: begin.Add(time.Duration(at * float64(time.Second))), Kind: kind, Data: text})
}

// add adds a step that ran from one second to another.
func (w *world) add(name string, from, to float64, failure *step.Failure, outputs map[string]step.Artifact, needs ...string) {
	w.plan.Steps = append(w.plan.Steps, plan.Step{Name: name, Needs: needs, Source: "m:" + name, Parameters: map[string]json.RawMessage{"p": quote(name)}})
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	attempt := orchestrator.AttemptName("p", "1", name, 1)
	status, result := "succeeded", step.Succeeded
	if failure != nil {
		status, result = "failed", step.Failed
	}
	third := (to - from) / 3
	w.event(from, "attempt-planned", map[string]any{"step": name, "number": 1, "name": attempt})
	w.event(to, "attempt-ended", map[string]any{"step": name, "number": 1, "outcome": step.Outcome{
		Status: result, Failure: failure, Outputs: outputs, Usage: step.Usage{PeakRSS: 5 << 20, CPU: time.Second},
		Times: &step.Times{Received: at(from + third/2), Called: at(from + third), Returned: at(from + 2*third), Stored: at(to)},
	}})
	w.steps = append(w.steps, driver.Step{
		Name: name, Index: len(w.steps), Status: status, Attempt: 1, AttemptName: attempt, Outputs: outputs, Failure: failure,
		Started: at(from), Ended: at(to),
	})
}

func quote(text string) json.RawMessage {
	data, _ := json.Marshal(text)
	return data
}

// save stores an output of these files.
func (w *world) save(preview string, files map[string]string) step.Artifact {
	w.Helper()
	dir := w.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	a, err := w.a.Save(w.Context(), dir, "t", "m", preview)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) log(name, text string) {
	w.Helper()
	if err := w.a.Put(w.Context(), step.LogKey("1", orchestrator.AttemptName("p", "1", name, 1)), []byte(text)); err != nil {
		w.Fatal(err)
	}
}

// write records the run and returns its page.
func (w *world) write(status string, seconds float64) string {
	w.Helper()
	p, err := json.Marshal(w.plan)
	if err != nil {
		w.Fatal(err)
	}
	s, err := json.Marshal(w.spec)
	if err != nil {
		w.Fatal(err)
	}
	r := driver.Run{ID: "1", Name: "p-2026", Pipeline: "p", Stack: "s", Orchestrator: "local", Status: "pending", Created: begin, Spec: s, Plan: p}
	if err := w.m.CreateRun(w.Context(), r); err != nil {
		w.Fatal(err)
	}
	lease, err := w.m.Acquire(w.Context(), "1", "h", begin, time.Minute, false)
	if err != nil {
		w.Fatal(err)
	}
	end := begin.Add(time.Duration(seconds * float64(time.Second)))
	c := driver.Commit{Lease: lease, Events: w.events, Steps: w.steps, Run: &driver.Run{Status: status, Started: begin, Ended: end}}
	if err := w.m.Commit(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(w.Context(), Sources{Metadata: w.m, Artifacts: w.a, Now: end, Version: "1"}, "p-2026", &out); err != nil {
		w.Fatal(err)
	}
	return out.String()
}

const tinyPNG = "\x89PNG\r\n\x1a\n" + "not much of a picture"

// evilRun is a run of which everything is evil.
func evilRun(t *testing.T) string {
	w := newWorld(t)
	w.spec.Parameters = map[string]json.RawMessage{evil: quote(evil)}
	w.spec.Source.Main = evil
	outputs := map[string]step.Artifact{
		evil: w.save(evil, map[string]string{"value.json": string(quote(evil)), "x.png": tinyPNG, "y.png": evil}),
		"t":  w.save("table", map[string]string{"head.csv": "a," + evil + "\n1,2\n"}),
	}
	w.add(evil, 0, 3, nil, outputs)
	w.add("second", 3, 6, &step.Failure{Kind: step.FailureUser, Type: evil, Message: evil, Traceback: evil, Evidence: evil}, nil, evil)
	w.log(evil, strings.Repeat(evil+"\n", 10))
	w.log("second", "progress 1%\rprogress 100%\r\nlast line")
	return w.write("failed", 6)
}

// TestEscaped reads the page as a browser does: it has the elements that the page is made of, and no others.
func TestEscaped(t *testing.T) {
	text := evilRun(t)
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	images, text2 := 0, &strings.Builder{}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			text2.WriteString(n.Data)
		}
		if n.Type == html.ElementNode {
			switch n.Data {
			case "script", "iframe", "object", "embed", "form":
				t.Errorf("the page has a <%s>", n.Data)
			case "img":
				images++
			}
		}
		for _, a := range n.Attr {
			outside := (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "#step") && !strings.HasPrefix(a.Val, "data:")
			if strings.HasPrefix(a.Key, "on") || outside {
				t.Errorf("<%s> has %s=%.60q", n.Data, a.Key, a.Val)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	if images != 1 {
		t.Errorf("%d pictures, want the one that is one", images)
	}
	for _, want := range []string{"<script>alert(1)</script>", "red", "progress 100%\nlast line", "user · </script>", "correct the code"} {
		if !strings.Contains(text2.String(), want) {
			t.Errorf("the page doesn't show %q", want)
		}
	}
	for _, not := range []string{"\x1b", "\u202e", "progress 1%"} {
		if strings.Contains(text2.String(), not) {
			t.Errorf("the page shows %q", not)
		}
	}
	if !strings.Contains(text, "default-src 'none'") || strings.Contains(text, "http://") && strings.Count(text, "http://") != strings.Count(text, "http://www.w3.org/2000/svg") {
		t.Error("the page refers to other places")
	}
}

// TestThousandSteps has a run whose every step has much of everything.
func TestThousandSteps(t *testing.T) {
	w := newWorld(t)
	big := w.save(strings.Repeat("<", 500), map[string]string{"value.json": `"` + strings.Repeat("<&", 30_000) + `"`, "p.png": "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100_000)})
	names := []string{}
	for i := range 1000 {
		name := fmt.Sprintf("step %d %s", i, strings.Repeat("n", 80))
		var failure *step.Failure
		if i%10 == 9 {
			failure = &step.Failure{Kind: step.FailureUser, Message: strings.Repeat("<", 5000), Traceback: strings.Repeat("\"", 50_000)}
		}
		w.add(name, float64(i), float64(i+2), failure, map[string]step.Artifact{"output": big}, names[max(0, len(names)-2):]...)
		names = append(names, name)
		w.log(name, strings.Repeat("<log & line>\n", 5_000))
	}
	start := time.Now()
	text := w.write("failed", 1001)
	t.Logf("%d bytes in %v", len(text), time.Since(start))
	if len(text) > 5_000_000 {
		t.Errorf("the page has %d bytes", len(text))
	}
	if n := strings.Count(text, `<details class="step"`); n != 1000 {
		t.Errorf("the page has %d steps", n)
	}
	if !strings.Contains(text, "All of it: proa logs p-2026 &#39;step 7 ") {
		t.Error("the page doesn't say where the rest of a log is")
	}
}

func TestUnknownRun(t *testing.T) {
	w := newWorld(t)
	err := Write(t.Context(), Sources{Metadata: w.m, Artifacts: w.a}, "nothing", &bytes.Buffer{})
	if !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestNumbers(t *testing.T) {
	file := func(header, data string) []byte {
		return []byte("\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header + data)
	}
	for want, data := range map[string][]byte{
		"1 -2\n3 4":    file("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }\n", "\x01\x00\xfe\xff\x03\x00\x04\x00"),
		"0.5":          file("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", "\x00\x00\x00\x00\x00\x00\xe0\x3f"),
		"True False …": file("{'descr': '|b1', 'fortran_order': False, 'shape': (9,), }\n", "\x01\x00"),
		"":             file("{'descr': '<U9', 'fortran_order': False, 'shape': (9,), }\n", "\x01\x00"),
	} {
		if got := numbers(data, 100); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, broken := range []string{"", "\x93NUMPY", "\x93NUMPY\x01\x00\xff\xff", "\x93NUMPY\x02\x00\xff\xff\xff\xff12"} {
		if got := numbers([]byte(broken), 100); got != "" {
			t.Errorf("%q gave %q", broken, got)
		}
	}
}

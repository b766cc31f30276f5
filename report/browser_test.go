package report

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/step"
)

// browser is a headless Chromium, spoken to through pipes in its own protocol.
type browser struct {
	t       *testing.T
	in      io.Writer
	out     *bufio.Reader
	last    int
	session string
	// told are the events that have come.
	told []message
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		testbed.Missing(t, "there is no Chromium to open pages with: install the Debian package chromium-headless-shell")
	}
	toBrowser, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+t.TempDir())
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = toBrowser.Close()
	_ = fromBrowser.Close()
	b := &browser{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		b.session = ""
		_ = b.send("Browser.close", nil)
		_ = in.Close()
		_ = cmd.Wait()
		// Its helpers write to its folder, which is about to be removed, for a moment longer.
		for deadline := time.Now().Add(10 * time.Second); syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) == nil && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	})
	return b
}

func (b *browser) send(method string, params any) error {
	b.last++
	data, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params, "sessionId": b.session})
	if err == nil {
		_, err = b.in.Write(append([]byte(strings.Replace(string(data), `,"sessionId":""`, "", 1)), 0))
	}
	return err
}

// next reads a message.
func (b *browser) next() message {
	b.t.Helper()
	data, err := b.out.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser has gone: %v", err)
	}
	var m message
	if err := json.Unmarshal(data[:len(data)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method != "" {
		b.told = append(b.told, m)
	}
	return m
}

// call calls a method and decodes its result.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	if err := b.send(method, params); err != nil {
		b.t.Fatal(err)
	}
	for {
		m := b.next()
		if m.ID != b.last {
			continue
		}
		if len(m.Error) > 0 {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// await waits for an event.
func (b *browser) await(method string) {
	b.t.Helper()
	for b.next().Method != method {
	}
}

type size2 struct{ width, height int }

// open opens a file in a new tab of that size.
func (b *browser) open(file string, window size2, dark bool) {
	b.t.Helper()
	b.session, b.told = "", nil
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": window.width, "height": window.height, "deviceScaleFactor": 1, "mobile": window.width < 600}, nil)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	b.await("Page.loadEventFired")
}

// eval evaluates an expression in the page, whose value is text or a list of texts.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value T }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if len(answer.ExceptionDetails) > 0 {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return answer.Result.Value
}

// shoot saves a picture of the page under build/.
func (b *browser) shoot(name string) {
	b.t.Helper()
	var picture struct{ Data string }
	height := eval[int](b, "document.documentElement.scrollHeight")
	width := eval[int](b, "innerWidth")
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": map[string]any{"x": 0, "y": 0, "width": width, "height": min(height, 8000), "scale": 1}}, &picture)
	data, err := base64.StdEncoding.DecodeString(picture.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	dir := filepath.Join("..", "build", "report")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// quiet checks that the page has asked for nothing and that nothing was wrong with it.
func (b *browser) quiet(file string) {
	b.t.Helper()
	for _, m := range b.told {
		text := string(m.Params)
		var sent struct{ Request struct{ URL string } }
		switch m.Method {
		case "Network.requestWillBeSent":
			_ = json.Unmarshal(m.Params, &sent)
			if url := sent.Request.URL; url != "file://"+file && !strings.HasPrefix(url, "data:") {
				b.t.Errorf("the page asks for %s", url)
			}
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening":
			b.t.Errorf("the page says %s: %s", m.Method, text)
		}
	}
}

// TestInBrowser opens pages in a real browser, at the width of a desktop and of a telephone, light and dark.
func TestInBrowser(t *testing.T) {
	b := startBrowser(t)
	dir := t.TempDir()
	pages := map[string]string{"fan": fanRun(t), "evil": evilRun(t)}
	for name, text := range pages {
		file := filepath.Join(dir, name+".html")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, window := range []size2{{1200, 900}, {400, 800}} {
			for _, dark := range []bool{false, true} {
				b.t = t
				b.open(file, window, dark)
				where := fmt.Sprintf("%s at %d, dark %v", name, window.width, dark)
				b.quiet(file)
				check(b, where)
				if dark == (window.width < 600) {
					b.shoot(fmt.Sprintf("%s-%d", name, window.width))
				}
			}
		}
	}
	b.open(filepath.Join(dir, "fan.html"), size2{1200, 900}, false)
	if got := eval[int](b, `document.querySelectorAll(".graph .box").length`); got != 14 {
		t.Errorf("the graph has %d steps", got)
	}
	if got := eval[int](b, `document.querySelectorAll(".graph .line").length`); got != 24 {
		t.Errorf("the graph has %d lines", got)
	}
	if got := eval[[]string](b, `[...document.querySelectorAll("details.step[open] .n")].map(e => e.textContent)`); len(got) != 1 || got[0] != "fold 7" {
		t.Errorf("the open steps are %q", got)
	}
	// A click on a step of the graph opens its details.
	eval[any](b, `document.querySelector('.graph a[href="#step-2"]').dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}))`)
	for deadline := time.Now().Add(10 * time.Second); ; {
		if eval[bool](b, `document.getElementById("step-2").closest("details").open`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a click on a step of the graph does not open its details")
		}
	}
}

// check looks at what must be so in any page.
func check(b *browser, where string) {
	b.t.Helper()
	if over := eval[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		wide := eval[[]string](b, `[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll,.wide,pre") && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className).slice(0, 5)`)
		b.t.Errorf("%s: the page is %d pixels too wide: %q", where, over, wide)
	}
	bars := eval[[]string](b, `[...document.querySelectorAll(".bar i")].filter(i => { const a = i.parentElement.getBoundingClientRect(), r = i.getBoundingClientRect(); return r.left < a.left - 1 || r.right > a.right + 2 || r.width < 0.5 }).map(i => i.title)`)
	if len(bars) > 0 {
		b.t.Errorf("%s: bars beyond their axis: %q", where, bars)
	}
	if n := eval[int](b, `document.querySelectorAll(".bar i").length`); n < 6 {
		b.t.Errorf("%s: only %d bars", where, n)
	}
	boxes := eval[[]string](b, `[...document.querySelectorAll(".graph .box")].filter(g => g.querySelector("text").getBBox().width + 14 > g.querySelector("rect").getBBox().width).map(g => g.textContent)`)
	if len(boxes) > 0 {
		b.t.Errorf("%s: names that are wider than their boxes: %q", where, boxes)
	}
	if n := eval[int](b, `document.scripts.length`); n != 0 {
		b.t.Errorf("%s: %d scripts", where, n)
	}
	broken := eval[int](b, `[...document.images].filter(i => i.complete && i.naturalWidth == 0 && !i.closest("details:not([open])")).length`)
	if broken > 0 && !strings.HasPrefix(where, "evil") {
		b.t.Errorf("%s: %d pictures are broken", where, broken)
	}
}

// fanRun is a run that fans out, of which one step fails.
func fanRun(t *testing.T) string {
	w := newWorld(t)
	w.spec.Parameters = map[string]json.RawMessage{"folds": json.RawMessage("10"), "rate": json.RawMessage("0.003")}
	w.add("load the table of customers", 0, 3, nil, map[string]step.Artifact{"output": w.save("DataFrame 5000x3", map[string]string{"head.csv": "age,city\n31,Oslo\n"})})
	w.add("split", 3, 4, nil, nil, "load the table of customers")
	var folds []string
	for i := range 10 {
		name := fmt.Sprintf("fold %d", i)
		var failure *step.Failure
		if i == 7 {
			failure = &step.Failure{Kind: step.FailureOOM, Type: "OOMKilled", Message: "killed for using more memory than it may", Evidence: "used 512 MiB of 512 MiB"}
		}
		w.add(name, 4+float64(i)/4, 7+float64(i)/2, failure, nil, "split")
		w.log(name, strings.Repeat("epoch 1 loss 0.1\n", 30))
		folds = append(folds, name)
	}
	w.add("choose", 12, 14, nil, nil, folds...)
	w.add("report", 14, 15, nil, nil, "choose", "load the table of customers", "split")
	return w.write("failed", 15)
}

package launcher_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

func TestSuccess(t *testing.T) {
	b := newBench(t)
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "value"), []byte("from before"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := b.store.Save(t.Context(), source, "text", "script:Text", "11 bytes")
	if err != nil {
		t.Fatal(err)
	}
	inv := b.invocation("print:hello", "eprint:world", "copy:in=same", "output:new=something else")
	inv.Inputs = map[string]step.Artifact{"in": in}
	inv.Outputs = []spec.Output{{Name: "same"}, {Name: "new"}}
	code, o, l := b.finish(inv)
	if code != 0 || o.Status != step.Succeeded || o.ExitCode != 0 || o.Failure != nil {
		t.Fatalf("exit code %d, outcome %+v, stderr %q", code, o, l.stderr.String())
	}
	if o.Outputs["same"].Digest != in.Digest || o.Outputs["new"].Preview != "14 bytes" || o.Outputs["new"].Digest == in.Digest {
		t.Errorf("outputs %+v", o.Outputs)
	}
	log, _ := b.object(o.Log)
	if want := "hello\nworld\n"; log != want || l.stdout.String() != want || o.Log != step.LogKey(run, name) {
		t.Errorf("log %q at %q, stdout %q", log, o.Log, l.stdout.String())
	}
	if o.Usage.Wall <= 0 || o.Usage.CPU <= 0 || o.Usage.PeakRSS <= 0 {
		t.Errorf("usage %+v", o.Usage)
	}
	if left, _ := os.ReadDir(b.work); len(left) > 0 {
		t.Errorf("left in the work folder: %v", left)
	}
}

func TestFailures(t *testing.T) {
	self := newBench(t)
	plain := self.invocation()
	tests := map[string]struct {
		inv     step.Invocation
		code    int
		kind    step.FailureKind
		message string
		trace   string
	}{
		"exit code":         {shell(plain, "echo first; echo last; exit 3"), 3, step.FailureUser, "exit code 3", "first\nlast"},
		"exit code 200":     {shell(plain, "exit 200"), 200, step.FailureUser, "exit code 200", ""},
		"signal":            {shell(plain, "kill -SEGV $$"), 139, step.FailureUser, "killed by signal SIGSEGV", ""},
		"kill by the user":  {shell(plain, "kill -KILL $$"), 137, step.FailureUser, "killed by signal SIGKILL", ""},
		"exception":         {self.invocation("fail:no luck"), 1, step.FailureUser, "no luck", ""},
		"no result":         {shell(plain, "exit 0"), 1, step.FailureUser, "nothing was saved", ""},
		"broken result":     {shell(plain, `r=$(sed 's/.*"result":"\([^"]*\)".*/\1/' $PROA_REQUEST); echo '{' > $r`), 1, step.FailureUser, "decoding the runner's result", ""},
		"unknown program":   {step.Invocation{Command: []string{"no-such-program"}}, step.ExitStart, step.FailureConfig, `no program "no-such-program"`, ""},
		"missing folder":    {step.Invocation{Dir: "/no/such/folder"}, step.ExitStart, step.FailureConfig, "/no/such/folder", ""},
		"missing input":     {step.Invocation{Inputs: map[string]step.Artifact{"x": {Digest: "sha256:" + strings.Repeat("0", 64)}}}, step.ExitStore, step.FailureConfig, `input "x" is gone`, ""},
		"bad name of input": {step.Invocation{Inputs: map[string]step.Artifact{"../x": {}}}, step.ExitStore, step.FailureConfig, `"../x" can't be the name`, ""},
		"output not saved":  {step.Invocation{Outputs: []spec.Output{{Name: "model"}}}, 1, step.FailureUser, `no output "model"`, ""},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			b := newBench(t)
			inv := fill(tt.inv, b.invocation())
			code, o, _ := b.finish(inv)
			if code != tt.code || o.Status != step.Failed || o.Failure == nil {
				t.Fatalf("exit code %d, outcome %+v", code, o)
			}
			if o.Failure.Kind != tt.kind || !strings.Contains(o.Failure.Message, tt.message) || strings.TrimSpace(o.Failure.Traceback) != tt.trace {
				t.Errorf("failure %+v", o.Failure)
			}
			if o.Outputs != nil {
				t.Errorf("outputs %+v", o.Outputs)
			}
		})
	}
}

// fill completes an invocation that says only what is special about it.
func fill(inv, plain step.Invocation) step.Invocation {
	if inv.Command != nil {
		plain.Command = inv.Command
	}
	if inv.Dir != "" {
		plain.Dir = inv.Dir
	}
	plain.Inputs, plain.Outputs = inv.Inputs, inv.Outputs
	return plain
}

func TestEnvironmentIsClean(t *testing.T) {
	b := newBench(t)
	b.env = []string{"HOME=/nowhere", "VISIBLE=yes", "PROA_COORDINATOR=", "PROA_SITE=/site", "PROA_SECRETS_PASSPHRASE=hidden"}
	inv := shell(b.invocation(), `env; touch $TMPDIR/a $HOME/b; ls /proc/$$/fd | tr '\n' ' '`)
	_, _, l := b.finish(inv)
	got := map[string]string{}
	for line := range strings.SplitSeq(l.stdout.String(), "\n") {
		name, value, _ := strings.Cut(line, "=")
		got[name] = value
	}
	for name := range got {
		if strings.HasPrefix(name, "PROA_") && name != step.RequestEnv && name != "PROA_SITE" {
			t.Errorf("the step sees %s", name)
		}
	}
	if got["VISIBLE"] != "yes" || got["PROA_SITE"] != "/site" || !strings.HasPrefix(got["HOME"], b.work) || !strings.HasPrefix(got["TMPDIR"], b.work) {
		t.Errorf("the environment is %v", got)
	}
}

func TestUnusableStart(t *testing.T) {
	b := newBench(t)
	secret := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(secret, []byte(`{"store": s3cret`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := b.launch(secret)
	if code := l.wait(); code != step.ExitUsage || strings.Contains(l.stderr.String(), "s3cret") {
		t.Errorf("a broken access file: exit code %d, %q", code, l.stderr.String())
	}
	b.env = []string{step.AttemptEnv + "="}
	if l := b.launch(b.writeAccess()); l.wait() != step.ExitUsage || !strings.Contains(l.stderr.String(), step.AttemptEnv) {
		t.Errorf("no attempt: %q", l.stderr.String())
	}
	b.env = nil
	if l := b.launch(b.writeAccess()); l.wait() != step.ExitStore || !strings.Contains(l.stderr.String(), "invocation") {
		t.Errorf("no invocation: %q", l.stderr.String())
	}
	inv := b.invocation()
	inv.Name = "another"
	b.unclaim()
	if l := b.start(inv); l.wait() != step.ExitUsage {
		t.Errorf("another's invocation: %q", l.stderr.String())
	}
	b.noOutcome()
}

func fifo(t *testing.T, b *bench) string {
	t.Helper()
	path := filepath.Join(b.work, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCancel(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		b := newBench(t)
		l := b.start(b.invocation("block"))
		l.awaitOutput(script.Ready)
		l.signal(s)
		code, o := l.wait(), b.outcome()
		if code != 143 || o.Status != step.Cancelled || o.Failure.Kind != step.FailureCancelled || o.Signal != "" || o.ExitCode != 0 {
			t.Errorf("%v: exit code %d, outcome %+v", s, code, o)
		}
	}
}

func TestSuccessDespiteCancel(t *testing.T) {
	b := newBench(t)
	inv := shell(b.invocation(), `trap 'r=$(sed "s/.*\"result\":\"\([^\"]*\)\".*/\1/" $PROA_REQUEST); echo "{\"apiVersion\":\"proa/v1\"}" > $r; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done`)
	l := b.start(inv)
	l.awaitOutput("ready")
	l.signal(syscall.SIGTERM)
	if code, o := l.wait(), b.outcome(); code != 0 || o.Status != step.Succeeded {
		t.Errorf("exit code %d, outcome %+v %+v", code, o, o.Failure)
	}
}

func TestSecondSignalKills(t *testing.T) {
	b := newBench(t)
	l := b.start(b.invocation("ignore"))
	l.awaitOutput(script.Ready)
	l.signal(syscall.SIGTERM)
	l.signal(syscall.SIGINT)
	if code, o := l.wait(), b.outcome(); code != 137 || o.Status != step.Cancelled || o.Signal != "SIGKILL" {
		t.Errorf("exit code %d, outcome %+v", code, o)
	}
}

func TestOtherSignalsGoOn(t *testing.T) {
	b := newBench(t)
	l := b.start(shell(b.invocation(), `trap 'exit 42' USR1; echo ready; while :; do sleep 1000 & wait; done`))
	l.awaitOutput("ready")
	l.signal(syscall.SIGUSR1)
	if code, o := l.wait(), b.outcome(); code != 42 || o.Status != step.Failed {
		t.Errorf("exit code %d, outcome %+v", code, o)
	}
}

func TestTimeLimit(t *testing.T) {
	b := newBench(t)
	inv := b.invocation("print:begun", "ignore")
	inv.Timeout, inv.Grace = time.Second, 50*time.Millisecond
	code, o, _ := b.finish(inv)
	if code != 137 || o.Status != step.Failed || o.Failure.Kind != step.FailureTimeout || !strings.Contains(o.Failure.Message, "limit of 1s") {
		t.Errorf("exit code %d, outcome %+v, failure %+v", code, o, o.Failure)
	}
}

func TestParentGone(t *testing.T) {
	b := newBench(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b.env = []string{step.ParentEnv + "=3"}
	inv, err := json.Marshal(b.invocation("block"))
	if err == nil {
		err = b.store.Put(t.Context(), step.InvocationKey(run, name), inv)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := b.launchWith(b.writeAccess(), r)
	l.awaitOutput(script.Ready)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if code := l.wait(); code != 143 {
		t.Errorf("exit code %d", code)
	}
	b.noOutcome()
}

func TestGrowingLogSurvivesTheLauncher(t *testing.T) {
	b := newBench(t)
	l := b.start(b.invocation("print:first", "block"))
	b.eventually("the first part", func() bool {
		part, _ := b.object(step.LogPartKey(run, name, 0))
		return strings.Contains(part, script.Ready)
	})
	l.signal(syscall.SIGKILL)
	l.wait()
	b.noOutcome()
	if part, _ := b.object(step.LogPartKey(run, name, 0)); part != "first\n"+script.Ready+"\n" {
		t.Errorf("the part is %q", part)
	}
}

func TestPartsGoWhenTheLogIsWhole(t *testing.T) {
	b := newBench(t)
	path := fifo(t, b)
	line := strings.Repeat("x", 99)
	l := b.start(shell(b.invocation(), fmt.Sprintf("i=0; while [ $i -lt 300 ]; do printf '%%s\\n' '%s'; i=$((i+1)); done | sed 'p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p;p'; read x < %s; exit 1", line, path)))
	const size = 300 * 41 * 100
	b.eventually("the second part", func() bool {
		part, _ := b.object(step.LogPartKey(run, name, 1))
		return len(part) == size-step.LogPartSize
	})
	if part, _ := b.object(step.LogPartKey(run, name, 0)); len(part) != step.LogPartSize {
		t.Errorf("the first part has %d bytes", len(part))
	}
	if err := os.WriteFile(path, []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.wait()
	if log, _ := b.object(b.outcome().Log); log != strings.Repeat(line+"\n", size/100) {
		t.Errorf("the log has %d bytes", len(log))
	}
	for n := range 2 {
		if _, ok := b.object(step.LogPartKey(run, name, n)); ok {
			t.Errorf("part %d is still there", n)
		}
	}
}

// TestSecrets gives a step the secrets that its invocation names, in its environment and in the request, and no others.
func TestSecrets(t *testing.T) {
	b := newBench(t)
	odd := "it's \"100%\"\n$HOME"
	b.access.Secrets = map[string]map[string]string{
		"db":    {"PASSWORD": odd, "not.a-variable": "2", "PROA_ACCESS": "3", "PATH": os.Getenv("PATH")},
		"other": {"OTHER": "canary"},
	}
	inv := shell(b.invocation(), `printf 'password [%s] other [%s] access [%s]\n' "$PASSWORD" "$OTHER" "$PROA_ACCESS"; stat -c %a "$PROA_REQUEST"; cat "$PROA_REQUEST"`)
	inv.Secrets = []string{"db"}
	_, _, l := b.finish(inv)
	out := l.stdout.String()
	for _, want := range []string{"password [" + odd + "] other [] access []\n600\n", `"not.a-variable":"2"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the step doesn't see %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "canary") {
		t.Errorf("the step sees another's secret:\n%s", out)
	}
	stored, err := b.store.Get(t.Context(), step.InvocationKey(run, name))
	if err != nil || bytes.Contains(stored, []byte("100%")) {
		t.Errorf("the invocation holds a value, or can't be read: %v\n%s", err, stored)
	}
}

func TestUnknownSecret(t *testing.T) {
	b := newBench(t)
	inv := b.invocation("print:never")
	inv.Secrets = []string{"db"}
	l := b.start(inv)
	if code := l.wait(); code != step.ExitUsage || !strings.Contains(l.stderr.String(), `secret "db" is not among`) {
		t.Errorf("exit code %d: %s", code, l.stderr.String())
	}
}

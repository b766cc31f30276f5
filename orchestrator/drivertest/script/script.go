// Package script is the language runner of the orchestrators' tests: a program that does what its arguments say.
package script

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// Main does the actions in order and returns the exit code. An action is a verb, or "verb:argument":
//
//	print:TEXT        writes a line to standard output
//	eprint:TEXT       writes a line to standard error
//	lines:N           writes N numbered lines
//	output:NAME=TEXT  saves the text as an output
//	copy:IN=OUT       saves an input as an output
//	fail:MESSAGE      answers with a failure of the kind user and exits with 1
//	exit:CODE         exits at once, without a result
//	signal:NUMBER     sends itself a signal
//	block             waits for SIGTERM, then exits with 0 without a result
//	save              waits for SIGTERM, takes half a second to save its state, then ends as block does
//	ignore            waits for ever, ignoring SIGTERM
//
// getenv looks up the environment; the request's path is in it.
func Main(actions []string, getenv func(string) string, stdout, stderr io.Writer) int {
	r := runner{stdout: stdout, stderr: stderr, result: step.Result{APIVersion: spec.APIVersion, Outputs: map[string]step.ResultOutput{}}}
	data, err := os.ReadFile(getenv(step.RequestEnv))
	if err == nil {
		err = json.Unmarshal(data, &r.request)
	}
	for _, action := range actions {
		if err != nil || r.ended {
			break
		}
		verb, arg, _ := strings.Cut(action, ":")
		err = r.do(verb, arg)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "script:", err)
		return 99
	}
	if r.ended && r.result.Failure == nil {
		return r.code
	}
	if err := r.answer(); err != nil {
		_, _ = fmt.Fprintln(stderr, "script:", err)
		return 99
	}
	return r.code
}

type runner struct {
	stdout, stderr io.Writer
	request        step.Request
	result         step.Result
	ended          bool
	code           int
}

func (r *runner) do(verb, arg string) error {
	switch verb {
	case "print":
		_, _ = fmt.Fprintln(r.stdout, arg)
	case "eprint":
		_, _ = fmt.Fprintln(r.stderr, arg)
	case "lines":
		return r.lines(arg)
	case "output":
		name, text, _ := strings.Cut(arg, "=")
		return r.output(name, []byte(text))
	case "copy":
		return r.copy(arg)
	case "fail":
		r.result.Failure = &step.Failure{Kind: step.FailureUser, Type: "ScriptError", Message: arg}
		r.ended, r.code = true, 1
	case "exit":
		code, err := strconv.Atoi(arg)
		r.ended, r.code = true, code
		return err
	case "signal":
		return r.signal(arg)
	case "block":
		wait(r.stdout)
		r.ended = true
	case "save":
		wait(r.stdout)
		_, _ = fmt.Fprintln(r.stdout, Saving)
		time.Sleep(500 * time.Millisecond)
		r.ended = true
	case "ignore":
		signal.Ignore(syscall.SIGTERM)
		_, _ = fmt.Fprintln(r.stdout, Ready)
		sleep()
	default:
		return fmt.Errorf("unknown action %q", verb)
	}
	return nil
}

const (
	// Ready is the line that block, save and ignore print once they handle SIGTERM.
	Ready = "ready"
	// Saving is the line that save prints when it was asked to end.
	Saving = "saving"
)

func wait(stdout io.Writer) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	_, _ = fmt.Fprintln(stdout, Ready)
	<-signals
}

func (r *runner) lines(arg string) error {
	n, err := strconv.Atoi(arg)
	for i := range n {
		_, _ = fmt.Fprintf(r.stdout, "line %d\n", i)
	}
	return err
}

func (r *runner) signal(arg string) error {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), syscall.Signal(n)); err != nil {
		return err
	}
	sleep()
	return nil
}

func (r *runner) copy(arg string) error {
	in, out, _ := strings.Cut(arg, "=")
	data, err := os.ReadFile(filepath.Join(r.request.Inputs[in].Path, "value"))
	if err != nil {
		return err
	}
	return r.output(out, data)
}

func (r *runner) output(name string, data []byte) error {
	for _, o := range r.request.Outputs {
		if o.Name == name {
			r.result.Outputs[name] = step.ResultOutput{Type: "text", Materializer: "script:Text", Preview: strconv.Itoa(len(data)) + " bytes"}
			return os.WriteFile(filepath.Join(o.Path, "value"), data, 0o600)
		}
	}
	return fmt.Errorf("the request has no output %q", name)
}

func (r *runner) answer() error {
	data, err := json.Marshal(r.result)
	if err != nil {
		return err
	}
	return os.WriteFile(r.request.Result, data, 0o600)
}

// sleep never returns.
func sleep() {
	for {
		time.Sleep(time.Hour)
	}
}

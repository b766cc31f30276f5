package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/internal/proc"
	"github.com/proa-ml/proa/internal/tail"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// attempt is what is known of one attempt. It is guarded by the orchestrator's lock.
type attempt struct {
	driver.Attempt
	status  driver.Status
	process *process
	stopped bool
	log     backlog
	stderr  tail.Buffer
}

func newAttempt(a driver.Attempt) *attempt {
	return &attempt{Attempt: a, status: driver.Status{Attempt: a.Name, Phase: driver.Pending, ExitCode: -1}}
}

// process is a launcher.
type process struct{ *proc.Process }

// stop asks the launcher to end the step, and sees to it that it does. It asks once: a launcher takes a second signal as
// the end of the grace time. What a later call can do is to shorten that.
func (p *process) stop(again bool, grace time.Duration) {
	if !again {
		_ = p.Signal(syscall.SIGTERM)
	}
	p.after(grace)
}

// after makes the launcher kill the step when the grace time is over, and kills the launcher if that doesn't help. The
// second signal is another one than the first, because equal signals may arrive as one.
func (p *process) after(grace time.Duration) {
	go func() {
		for _, s := range []struct {
			wait   time.Duration
			signal syscall.Signal
		}{{grace, syscall.SIGINT}, {killGrace, syscall.SIGKILL}} {
			timer := time.NewTimer(s.wait)
			select {
			case <-timer.C:
				_ = p.Signal(s.signal)
			case <-p.Done():
				timer.Stop()
				return
			}
		}
	}()
}

// killGrace is how long a launcher may take to store its outcome after it had to kill the step.
const killGrace = 5 * time.Second

// launch starts an attempt's process. The lock is held.
func (o *Orchestrator) launch(at *attempt) {
	p, err := o.start(at)
	if err != nil {
		o.running--
		o.end(at, -1, &step.Failure{Kind: step.FailureConfig, Message: "the launcher could not be started: " + err.Error()})
		return
	}
	o.logger.Debug("attempt started", "attempt", at.Name, "pid", p.PID())
	at.process = p
	at.status.Phase, at.status.Reason = driver.Running, ""
	o.report(at)
	o.owned.Add(1)
	go o.wait(at, p)
}

func (o *Orchestrator) start(at *attempt) (*process, error) {
	work, err := o.home.workFolder(at.Name)
	if err != nil {
		return nil, err
	}
	isolated, err := isolated(at.Settings)
	if err != nil {
		return nil, err
	}
	env := append(o.environ[:len(o.environ):len(o.environ)],
		step.AttemptEnv+"="+at.Name, step.RunEnv+"="+at.Run, step.AccessEnv+"="+o.access,
		step.WorkEnv+"="+work, step.ParentEnv+"="+strconv.Itoa(firstFile))
	files := []*os.File{o.lifeRead}
	if o.forksSocket != nil && !isolated {
		env = append(env, step.ForksEnv+"="+strconv.Itoa(firstFile+1))
		files = append(files, o.forksSocket)
	}
	p, err := proc.Start(proc.Command{
		Args: []string{o.launcher}, Dir: work, Env: env, Files: files,
		Output: logWriter{o, at}, Stderr: &at.stderr,
	})
	if err != nil {
		return nil, err
	}
	return &process{p}, nil
}

// isolated reports whether an attempt's process must be a new one.
func isolated(settings map[string]json.RawMessage) (bool, error) {
	given, ok := settings["isolation"]
	if !ok {
		return false, nil
	}
	var isolation string
	if err := json.Unmarshal(given, &isolation); err != nil {
		return false, fmt.Errorf("reading the setting isolation: %w", err)
	}
	return isolation == IsolationProcess, nil
}

// The values of the setting isolation: each step is a new process, or a fork of one that has imported its module.
const (
	IsolationProcess = "process"
	IsolationWarm    = "warm"
)

// firstFile is the number that the first inherited file has in a child.
const firstFile = 3

// wait waits for an attempt's process and reports its end.
func (o *Orchestrator) wait(at *attempt, p *process) {
	defer o.owned.Done()
	exit := p.Wait()
	o.home.removeWork(at.Name)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.logger.Debug("attempt ended", "attempt", at.Name, "code", exit.Code)
	o.running--
	o.end(at, exit.Code, silence(exit, at.stopped, at.stderr.String()))
	o.advance()
}

// end reports the end of an attempt. The lock is held.
func (o *Orchestrator) end(at *attempt, code int, failure *step.Failure) {
	at.status.Phase, at.status.Reason = driver.Ended, ""
	at.status.ExitCode, at.status.Failure = code, failure
	o.report(at)
}

// silence explains the end of a launcher, in case that it left no outcome.
func silence(exit proc.Exit, stopped bool, stderr string) *step.Failure {
	f := &step.Failure{Kind: step.FailureLost, Message: fmt.Sprintf("the launcher ended with exit code %d and without an outcome", exit.Code)}
	if exit.Signal != 0 {
		f.Message = fmt.Sprintf("the launcher was killed by signal %d (%v) before it stored an outcome", int(exit.Signal), exit.Signal)
	}
	switch {
	case stopped:
		f.Kind = step.FailureCancelled
	case exit.Code == step.ExitUsage:
		f.Kind = step.FailureConfig
	}
	if last := lastLine(stderr); last != "" {
		f.Message += ": " + last
	}
	return f
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// environ returns the environment that attempts inherit: the given one without what is a launcher's own.
func environ(given []string) []string {
	if given == nil {
		given = os.Environ() //nolint:forbidigo // what Config.Environ says of nil
	}
	own := []string{step.AttemptEnv, step.RunEnv, step.AccessEnv, step.CoordinatorEnv, step.WorkEnv, step.ParentEnv, step.ForksEnv, step.RequestEnv, forks.OfferEnv}
	kept := make([]string, 0, len(given))
	for _, entry := range given {
		name, _, _ := strings.Cut(entry, "=")
		isOwn := false
		for _, o := range own {
			isOwn = isOwn || name == o
		}
		if !isOwn {
			kept = append(kept, entry)
		}
	}
	return kept
}

// processes returns the launchers that may still run. The lock is held.
func (o *Orchestrator) processes() []*process {
	var all []*process
	for _, at := range o.attempts {
		if at.process != nil && at.status.Phase != driver.Ended {
			all = append(all, at.process)
		}
	}
	return all
}

func cleanName(name string) bool {
	return name != "" && name != "." && name != ".." && name == filepath.Base(name)
}

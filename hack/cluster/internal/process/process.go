package process

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
)

// A Spec says how to run a server.
type Spec struct {
	Name      string
	Command   []string
	Env       []string // added to the table's
	Dir       string   // working directory
	Namespace string   // file of the network namespace, or "" for this one
	Cgroup    string   // directory of the control group
	Nice      int
	Config    []string // files whose content is part of what runs: a change makes Digest another
}

// Digest is equal for two specs that run the same.
func (s Spec) Digest() (string, error) {
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode(s); err != nil {
		return "", fmt.Errorf("encoding the spec of %s: %w", s.Name, err)
	}
	for _, path := range s.Config {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("reading the configuration of %s: %w", s.Name, err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// A Record is what is kept about a server that was started.
type Record struct {
	Identity
	Digest string    `json:"digest"`
	Since  time.Time `json:"since"`
}

// A Table keeps the records and the logs of servers in two directories.
type Table struct {
	Records string
	Logs    string
	Env     []string // what every server gets
}

// Log returns the path of a server's log.
func (t Table) Log(name string) string { return filepath.Join(t.Logs, name+".log") }

func (t Table) record(name string) string { return filepath.Join(t.Records, name+".json") }

// Find returns the record of a server; ok is false if it was never started, was stopped, or its record cannot be read.
func (t Table) Find(name string) (record Record, ok bool) {
	data, err := os.ReadFile(t.record(name))
	if err != nil || json.Unmarshal(data, &record) != nil {
		return Record{}, false
	}
	return record, true
}

// Running reports whether the server runs, and as the spec wants it.
func (t Table) Running(spec Spec) bool {
	record, ok := t.Find(spec.Name)
	if !ok || !record.Alive() {
		return false
	}
	digest, err := spec.Digest()
	return err == nil && digest == record.Digest
}

// Start runs a server in a session of its own and records it.
func (t Table) Start(spec Spec, now time.Time) error {
	digest, err := spec.Digest()
	if err != nil {
		return err
	}
	log, err := openLog(t.Log(spec.Name))
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", spec.Name, err)
	}
	defer log.Close()
	fmt.Fprintf(log, "--- %s: %s\n", now.Format(time.RFC3339), strings.Join(spec.Command, " "))
	command := command(spec, t.Env)
	command.Stdout, command.Stderr = log, log
	proceed, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	defer proceed.Close()
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	go func() { _ = command.Wait() }() // it ends after this program, or its log tells how it ended
	identity, err := Identify(command.Process.Pid)
	if err != nil {
		return fmt.Errorf("%s ended at once: %w", spec.Name, err)
	}
	data, err := json.Marshal(Record{Identity: identity, Digest: digest, Since: now})
	if err != nil {
		return fmt.Errorf("encoding the record of %s: %w", spec.Name, err)
	}
	if err := file.Write(t.record(spec.Name), data, 0o600); err != nil {
		return err
	}
	if _, err := proceed.Write([]byte("proceed\n")); err != nil {
		return fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	return nil
}

// command waits for a line of input, enters the control group and the network namespace and then becomes the server, which so keeps
// the process number. Since the line is written after the record, there is no server without a record, even if this program is
// killed in between: then there is no line, and the process ends.
func command(spec Spec, env []string) *exec.Cmd {
	const enter = `read -r line && echo $$ > "$1/cgroup.procs" && shift && exec "$@" < /dev/null`
	args := []string{"-c", enter, "enter", spec.Cgroup, "nice", "-n", fmt.Sprint(spec.Nice)}
	if spec.Namespace != "" {
		args = append(args, "nsenter", "--net="+spec.Namespace)
	}
	command := exec.Command("/bin/sh", append(args, spec.Command...)...)
	command.Dir = spec.Dir
	command.Env = append(slices.Clone(env), spec.Env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command
}

// openLog appends to a log, after setting a long one aside.
func openLog(path string) (*os.File, error) {
	const long = 16 << 20
	if info, err := os.Stat(path); err == nil && info.Size() > long {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// Stop ends a server: with SIGTERM, and with SIGKILL when it still runs after the grace. One that does not run is no error.
func (t Table) Stop(ctx context.Context, name string, grace time.Duration) error {
	record, ok := t.Find(name)
	if ok {
		if err := record.end(ctx, grace); err != nil {
			return fmt.Errorf("stopping %s: %w", name, err)
		}
	}
	if err := os.Remove(t.record(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting %s: %w", name, err)
	}
	return nil
}

func (id Identity) end(ctx context.Context, grace time.Duration) error {
	if err := id.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if id.gone(ctx, grace) {
		return nil
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !id.gone(ctx, 10*time.Second) {
		return fmt.Errorf("process %d does not end", id.PID)
	}
	return nil
}

// gone waits for the process to end.
func (id Identity) gone(ctx context.Context, limit time.Duration) bool {
	deadline := time.After(limit)
	for id.Alive() {
		select {
		case <-ctx.Done():
			return false
		case <-deadline:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

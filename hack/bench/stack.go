package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// proa runs the installed program with a configuration of its own, so that no stack, cache or run of the user's is used.
type proa struct {
	venv string
	env  []string
	// database is the name of the stack's database, and the prefix of those made later.
	database string
	// namespace is where the stack's runs are.
	namespace string
	// test returns one of the PROA_TEST_* variables.
	test func(name string) string
}

// newProa prepares a configuration under dir with one stack on the cluster that PROA_TEST_* describe, whose stores are
// empty, beside the built-in local stack.
func newProa(ctx context.Context, venv, dir, id string, getenv func(string) string) (*proa, error) {
	t := func(name string) string { return getenv("PROA_TEST_" + name) }
	p := &proa{venv: venv, database: strings.ReplaceAll(id, "-", "_"), namespace: id, test: t, env: append(os.Environ(),
		"PATH="+filepath.Join(venv, "bin")+string(os.PathListSeparator)+getenv("PATH"),
		"PROA_CONFIG_DIR="+filepath.Join(dir, "config"),
		"XDG_DATA_HOME="+filepath.Join(dir, "data"),
		"NO_COLOR=1",
		"PROA_IGNORE_STORE_COUPLINGS=true", // some measure with a new database over the same artifacts
	)}
	for _, args := range [][]string{
		{"container-registry", "register", "reg", "--flavor=default", "--uri=" + t("REGISTRY")},
		{"artifact-store", "register", "s3", "--flavor=s3", "--path=s3://" + t("S3_BUCKET") + "/" + id, "--endpoint=" + t("S3_ENDPOINT"),
			"--region=" + t("S3_REGION"), "--path_style=true", "--key=" + t("S3_KEY"), "--secret=" + t("S3_SECRET")},
		{"metadata-store", "register", "db", "--flavor=mysql", "--host=" + t("MYSQL_HOST"), "--port=" + t("MYSQL_PORT"),
			"--database=" + p.database, "--username=" + t("MYSQL_USER"), "--password=" + t("MYSQL_PASSWORD")},
		{"orchestrator", "register", "k8s", "--flavor=kubernetes", "--kubernetes_context=" + t("CONTEXT"), "--kubernetes_namespace=" + id},
		{"image-builder", "register", "base", "--flavor=oci", "--parent_image=" + t("PARENT_IMAGE")},
		{"stack", "register", "k8s", "-o", "k8s", "-m", "db", "-a", "s3", "-c", "reg", "-i", "base"},
	} {
		if _, err := p.output(ctx, "proa", args...); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *proa) use(ctx context.Context, stack string) error {
	_, err := p.output(ctx, "proa", "stack", "set", stack)
	return err
}

func (p *proa) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.venv, "bin", name), args...)
	cmd.Env = p.env
	return cmd
}

// output returns what a command wrote to standard output.
func (p *proa) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := p.command(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s %s: %w\n%s", name, firstTwo(args), err, stderr.Bytes())
	}
	return out, nil
}

// firstTwo names a command in an error without its flags, which may hold secrets.
func firstTwo(args []string) string { return strings.Join(args[:min(2, len(args))], " ") }

// with is the same program with another environment.
func (p *proa) with(env ...string) *proa {
	other := *p
	other.env = append(slices.Clone(p.env), env...)
	return &other
}

// wall runs a command and returns how long it took.
func (p *proa) wall(ctx context.Context, name string, args ...string) (time.Duration, error) {
	began := time.Now()
	_, err := p.output(ctx, name, args...)
	return time.Since(began), err
}

// untilLine starts a command and returns the time until it printed a line that contains text, on either stream; then it
// lets the command finish.
func (p *proa) untilLine(ctx context.Context, text, name string, args ...string) (time.Duration, error) {
	cmd := p.command(ctx, name, args...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		_ = w.Close()
		ended <- err
	}()
	var seen time.Duration
	var all bytes.Buffer
	for lines := bufio.NewScanner(r); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if seen == 0 && strings.Contains(lines.Text(), text) {
			seen = time.Since(began)
		}
	}
	if err := <-ended; err != nil {
		return 0, fmt.Errorf("running %s: %w\n%s", name, err, all.String())
	}
	if seen == 0 {
		return 0, fmt.Errorf("%s never printed %q:\n%s", name, text, all.String())
	}
	return seen, nil
}

// timing is how long a run took.
type timing struct {
	// whole is from the coordinator's start to the recorded end, after from the end of the first step to that of the last.
	whole, after time.Duration
}

// lastRun returns how long the newest run took by its own record.
func (p *proa) lastRun(ctx context.Context) (timing, error) {
	var runs []struct{ Name string }
	if err := p.decode(ctx, &runs, "runs", "list", "-o", "json"); err != nil {
		return timing{}, err
	}
	if len(runs) == 0 {
		return timing{}, errors.New("there is no run")
	}
	var run struct {
		Started, Ended time.Time
		Steps          []struct{ Ended time.Time }
	}
	if err := p.decode(ctx, &run, "runs", "show", runs[0].Name, "-o", "json"); err != nil {
		return timing{}, err
	}
	if run.Ended.IsZero() || len(run.Steps) == 0 {
		return timing{}, errors.New("the newest run has not ended")
	}
	first, last := run.Ended, run.Started
	for _, s := range run.Steps {
		if s.Ended.Before(first) {
			first = s.Ended
		}
		if s.Ended.After(last) {
			last = s.Ended
		}
	}
	return timing{whole: run.Ended.Sub(run.Started), after: last.Sub(first)}, nil
}

// decode reads the JSON that a command of proa's prints.
func (p *proa) decode(ctx context.Context, to any, args ...string) error {
	out, err := p.output(ctx, "proa", args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, to); err != nil {
		return fmt.Errorf("reading what proa %s prints: %w", firstTwo(args), err)
	}
	return nil
}

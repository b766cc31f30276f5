package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measurement takes the figures, one after the other: two at once would measure each other.
type measurement struct {
	bare    *bare
	proa    *proa
	dir     string
	rounds  int
	kubectl string
	salt    int
	// only names the measurements to take; nil means all.
	only *regexp.Regexp
	rows []row
}

const (
	chainLength = 10
	fanoutWidth = 40
)

// all takes all of them. What failed is told at once, and doesn't keep the others from being measured.
func (m *measurement) all(ctx context.Context) ([]row, error) {
	var failed []error
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"command line", m.commandLine},
		{"typing", m.typed},
		{"many runs", m.recorded},
		{"digits, local", m.digitsLocal},
		{"images", m.images},
		{"chain of 10", m.chain},
		{"fan-out of 40", m.fanout},
		{"chain of 10 with scikit-learn", m.sklearnChain},
		{"everything cached", m.cached},
		{"edit to running", m.editToRunning},
		{"digits, Kubernetes", m.digitsKubernetes},
		{"10,000 steps in warm pods", m.scale("warm")},
		{"10,000 steps, each in a pod", m.scale("pod")},
	} {
		if m.only != nil && !m.only.MatchString(step.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", step.name)
		if err := step.do(ctx); err != nil {
			failed = append(failed, fmt.Errorf("measuring %s: %w", step.name, err))
			fmt.Fprintln(os.Stderr, "bench:", failed[len(failed)-1])
		}
	}
	return m.rows, errors.Join(failed...)
}

// median measures rounds times and returns the median in seconds.
func (m *measurement) median(rounds int, measure func() (time.Duration, error)) (float64, error) {
	var times []float64
	for range rounds {
		d, err := measure()
		if err != nil {
			return 0, err
		}
		times = append(times, d.Seconds())
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// pair measures two things in turn, so that both see the same weather, and returns their medians.
func (m *measurement) pair(a, b func() (time.Duration, error)) (float64, float64, error) {
	var as, bs []float64
	for range m.rounds {
		x, errA := a()
		y, errB := b()
		if err := errors.Join(errA, errB); err != nil {
			return 0, 0, err
		}
		as, bs = append(as, x.Seconds()), append(bs, y.Seconds())
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[len(as)/2], bs[len(bs)/2], nil
}

// fresh returns a number that no earlier run used, so that nothing is cached.
func (m *measurement) fresh() string {
	m.salt += 1000
	return strconv.Itoa(m.salt)
}

func (m *measurement) commandLine(ctx context.Context) error {
	list := func() (time.Duration, error) { return m.proa.wall(ctx, "proa", "stack", "list") }
	value, err := m.median(20, list)
	if err != nil {
		return err
	}
	baseline := 0.0
	if m.kubectl != "" {
		version := func() (time.Duration, error) {
			began := time.Now()
			err := exec.CommandContext(ctx, m.kubectl, "version", "--client").Run()
			return time.Since(began), err
		}
		if baseline, err = m.median(20, version); err != nil {
			return fmt.Errorf("kubectl version: %w", err)
		}
	}
	m.rows = append(m.rows, seconds("cli/stack_list", value, baseline, "`kubectl version --client`", "≤ 50 ms"))
	return m.longList(ctx, value)
}

// longList lists 1,000 components, beside the stacks of a user who has one.
func (m *measurement) longList(ctx context.Context, stackList float64) error {
	var file strings.Builder
	file.WriteString("apiVersion: proa/v1\nactive: default\ncomponents:\n  artifact-store:\n")
	for i := range 1000 {
		fmt.Fprintf(&file, "    store%04d:\n      flavor: s3\n      attributes:\n        path: s3://bucket/%d\n        endpoint: https://s3.example.com\n        key: key\n        secret: secret\n", i, i)
	}
	dir, err := os.MkdirTemp("", "proa-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "stacks.yaml"), []byte(file.String()), 0o600); err != nil {
		return err
	}
	list := func() (time.Duration, error) {
		return m.proa.with("PROA_CONFIG_DIR="+dir).wall(ctx, "proa", "artifact-store", "list")
	}
	value, err := m.median(20, list)
	if err != nil {
		return err
	}
	m.rows = append(m.rows, seconds("cli/list_1000", value, stackList, "`proa stack list`", "≤ 150 ms"))
	return nil
}

// chain compares a chain of trivial steps with bare pods one after the other.
func (m *measurement) chain(ctx context.Context) error {
	return m.against(ctx, "chain10", "chain.py", chainLength, false, map[string]string{"pod": "≤ 0.35 ×", "warm": ""})
}

// fanout compares trivial steps all at once with bare pods all at once.
func (m *measurement) fanout(ctx context.Context) error {
	return m.against(ctx, "fanout40", "fanout.py", fanoutWidth, true, map[string]string{"pod": "≤ 1.1 ×", "warm": "≤ 0.5 ×"})
}

// sklearnChain compares steps that import scikit-learn with bare pods that import nothing.
func (m *measurement) sklearnChain(ctx context.Context) error {
	return m.against(ctx, "sklearn_chain10", "sklearn_chain.py", chainLength, false, map[string]string{"warm": "one import"})
}

// against compares a pipeline of n steps, in each way of isolating them for which there is a goal, with n bare pods.
func (m *measurement) against(ctx context.Context, name, file string, n int, atOnce bool, goals map[string]string) error {
	if err := m.proa.use(ctx, "k8s"); err != nil {
		return err
	}
	for _, isolation := range slices.Sorted(maps.Keys(goals)) {
		if _, err := m.proa.output(ctx, "proa", "orchestrator", "update", "k8s", "--isolation="+isolation); err != nil {
			return err
		}
		var each []float64
		pipeline := func() (time.Duration, error) {
			if _, err := m.proa.wall(ctx, "python", pipelineFile(file), strconv.Itoa(n), m.fresh()); err != nil {
				return 0, err
			}
			run, err := m.proa.lastRun(ctx)
			each = append(each, run.after.Seconds()/float64(n-1))
			return run.whole, err
		}
		value, baseline, err := m.pair(pipeline, func() (time.Duration, error) { return m.bare.run(ctx, n, atOnce) })
		if err != nil {
			return err
		}
		goal := goals[isolation]
		m.rows = append(m.rows, seconds(name+"/"+isolation, value, baseline, fmt.Sprintf("%d bare pods of `python3 -c pass`", n), goal))
		if isolation == "warm" && !atOnce {
			m.rows = append(m.rows, seconds(name+"/warm_step", middle(each), 0, "", "≤ 0.15 s a step after the first"))
		}
	}
	return nil
}

// middle is the median.
func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// cached runs the last chain again: no step runs, so this is what a run costs.
func (m *measurement) cached(ctx context.Context) error {
	if err := m.proa.use(ctx, "k8s"); err != nil {
		return err
	}
	again := func() (time.Duration, error) {
		return m.proa.wall(ctx, "python", pipelineFile("chain.py"), strconv.Itoa(chainLength), "1000")
	}
	if _, err := again(); err != nil {
		return err
	}
	value, err := m.median(m.rounds, again)
	if err != nil {
		return err
	}
	m.rows = append(m.rows, seconds("cached/kubernetes", value, 0, "", "≤ 1.5 s from the command line to its end"))
	return nil
}

// editToRunning changes a line of a pipeline and waits for the first line that its first step prints.
func (m *measurement) editToRunning(ctx context.Context) error {
	if err := m.proa.use(ctx, "k8s"); err != nil {
		return err
	}
	file := filepath.Join(m.dir, "edited", "run.py")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	edit := func() (time.Duration, error) {
		text := "edited-" + m.fresh()
		source := fmt.Sprintf("from proa import pipeline, step\n\n\n@step\ndef hello() -> None:\n    print(%q)\n\n\n@pipeline\ndef edited():\n    hello()\n\n\nif __name__ == \"__main__\":\n    edited()\n", text)
		if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
			return 0, err
		}
		return m.proa.untilLine(ctx, text, "python", file)
	}
	if _, err := edit(); err != nil {
		return err
	}
	value, err := m.median(m.rounds, edit)
	if err != nil {
		return err
	}
	m.rows = append(m.rows, seconds("edit_to_running", value, 0, "", "≤ 1.5 s from the command line to the step's first line"))
	return nil
}

func pipelineFile(name string) string { return filepath.Join("hack", "bench", "pipelines", name) }

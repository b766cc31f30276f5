// Command bench measures proa beside bare pods on the same cluster, in the same run: machines are shared and noisy, so a
// figure means something only as a ratio. It needs the services that PROA_TEST_* describe (hack/cluster starts them) and a
// Python environment with proa's wheel, and writes build/bench.json and the table in docs/benchmarks.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	venv := flag.String("venv", "build/venv", "Python environment with proa and scikit-learn installed")
	rounds := flag.Int("rounds", 3, "how often each figure is measured; the median counts")
	only := flag.String("only", "", "a regular expression of the measurements to take; the table isn't written then")
	flag.Parse()
	if err := bench(ctx, *venv, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, venv string, rounds int, only string) error {
	venv, err := filepath.Abs(venv)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "proa-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	now := time.Now()
	b, err := newBare(ctx, os.Getenv("PROA_TEST_CONTEXT"), os.Getenv("PROA_TEST_PARENT_IMAGE"), now)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("bench-%d", now.Unix())
	defer b.close(context.WithoutCancel(ctx), id)
	p, err := newProa(ctx, venv, dir, id, os.Getenv)
	if err != nil {
		return err
	}
	defer func() {
		if err := p.dropDatabases(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, "bench: databases stay:", err)
		}
	}()
	m := &measurement{bare: b, proa: p, dir: dir, rounds: rounds, kubectl: os.Getenv("PROA_TEST_KUBECTL")}
	if only != "" {
		if m.only, err = regexp.Compile(only); err != nil {
			return fmt.Errorf("reading -only: %w", err)
		}
	}
	rows, err := m.all(ctx)
	if only != "" || err != nil {
		markdown(os.Stdout, rows)
		return err
	}
	if err := writeJSON("build/bench.json", rows); err != nil {
		return fmt.Errorf("writing build/bench.json: %w", err)
	}
	markdown(os.Stdout, rows)
	note := fmt.Sprintf("Measured on %s: median of %d rounds, %d CPUs, %s/%s.",
		now.UTC().Format(time.DateOnly), rounds, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	return replaceTable("docs/benchmarks.md", rows, note)
}

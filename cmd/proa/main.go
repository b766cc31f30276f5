// Command proa runs machine-learning pipelines on this machine and on Kubernetes.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/proa-ml/proa/flavor/standard"
	"github.com/proa-ml/proa/internal/cli"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"golang.org/x/term"
)

func main() { os.Exit(run(context.Background())) }

func run(ctx context.Context) int {
	k, err := newKit()
	if err != nil {
		_, _ = os.Stderr.WriteString("Error: " + err.Error() + "\n")
		return 4
	}
	interrupts := make(chan os.Signal, 4)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	k.Interrupts = interrupts
	return cli.Main(ctx, k, os.Args[1:])
}

// newKit is the one place that looks at the process's surroundings.
func newKit() (*kit.Kit, error) {
	configDir, dataDir := kit.ConfigDir(os.Getenv), kit.DataDir(os.Getenv)
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	catalogue := standard.Catalogue(standard.Kubeconfig(os.Getenv))
	return &kit.Kit{
		Streams: kit.Streams{
			In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
			OutTerminal: term.IsTerminal(int(os.Stdout.Fd())), ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
			Size: size,
		},
		Env: os.Getenv, Environ: os.Environ(), Now: time.Now, Rand: rand.Reader,
		Dir: dir, Executable: executable, Version: cli.Version,
		Files:     stack.Files{Dir: configDir, BuiltIn: standard.BuiltIn(dataDir)},
		Catalogue: catalogue,
		Opener: standard.Opener{
			Catalogue: catalogue, Env: os.Getenv, Environ: os.Environ(), Now: time.Now, Rand: rand.Reader,
			CacheDir: func() (string, error) { return kit.CacheDir(os.Getenv) },
		},
		Exec: syscall.Exec, TrustRoots: trustRoots,
	}, nil
}

// size is the terminal's size: that of the first stream that is one.
func size() (columns, rows int) {
	for _, file := range []*os.File{os.Stderr, os.Stdout} {
		if columns, rows, err := term.GetSize(int(file.Fd())); err == nil {
			return columns, rows
		}
	}
	return 80, 24
}

// Command proa-step is the launcher: PID 1 of a step's container. See package launcher and README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"time"

	"github.com/proa-ml/proa/internal/launcher"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, launcher.Signals()...)
	os.Exit(launcher.Main(context.Background(), launcher.Surroundings{
		Environ: os.Environ(), Signals: signals, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now, Root: os.DirFS("/"),
	}, nil))
}

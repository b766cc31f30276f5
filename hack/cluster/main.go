// Command cluster starts and stops a throw-away Kubernetes cluster, with an image registry, an S3 server and a MySQL-compatible
// database beside it, on this machine alone and without Docker. README.md tells how it works.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/cluster"
	"github.com/proa-ml/proa/hack/cluster/internal/progress"
)

const usage = `usage: go run ./hack/cluster COMMAND

  up              start the cluster, or what is missing of it; the environment of tests is printed
  down            stop it and remove all that it kept; what was built stays in the cache
  status          show its servers
  env [-o json]   print the environment of tests, for: eval "$(go run ./hack/cluster env)"
  stop SERVER     stop one server (mysql, s3, registry, apiserver, ...), to see what its absence does
  start SERVER    start it again, with the same data at the same address

It keeps its state in $PROA_CLUSTER_DIR, by default ~/.local/state/proa-cluster.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

var errUsage = errors.New("unknown command")

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdout, stderr)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprint(stderr, usage)
		return 2
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "cluster: interrupted; the next \"up\" goes on from here")
		return 3
	}
	fmt.Fprintf(stderr, "cluster: %v\n", err)
	return 1
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	printer := progress.New(stderr, time.Now)
	c, err := open(printer)
	if err != nil {
		return err
	}
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	go printer.Watch(watch, 10*time.Second)
	switch command, rest := args[0], args[1:]; {
	case command == "up" && len(rest) == 0:
		return up(ctx, c, printer, stdout)
	case command == "down" && len(rest) == 0:
		return c.Down(ctx)
	case command == "status" && len(rest) == 0:
		return status(ctx, c, stdout)
	case command == "env":
		return env(c, rest, stdout)
	case command == "stop" && len(rest) == 1:
		return c.Stop(ctx, rest[0])
	case command == "start" && len(rest) == 1:
		return c.Start(ctx, rest[0])
	}
	return errUsage
}

// open finds the directories.
func open(printer *progress.Printer) (*cluster.Cluster, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("finding the home directory: %w", err)
	}
	state := os.Getenv("PROA_CLUSTER_DIR")
	if state == "" {
		parent := os.Getenv("XDG_STATE_HOME")
		if parent == "" {
			parent = filepath.Join(home, ".local", "state")
		}
		state = filepath.Join(parent, "proa-cluster")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the cache directory: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the working directory: %w", err)
	}
	// Servers are kept in directories for administrators, which a user's path need not have.
	path := os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin"
	if err := os.Setenv("PATH", path); err != nil {
		return nil, fmt.Errorf("setting the path: %w", err)
	}
	return cluster.New(cluster.Options{
		State:    state,
		Cache:    filepath.Join(cache, "proa", "cluster"),
		Dir:      dir,
		Env:      []string{"PATH=" + path, "HOME=" + home},
		Now:      time.Now,
		Progress: printer,
	})
}

func up(ctx context.Context, c *cluster.Cluster, printer *progress.Printer, stdout io.Writer) error {
	if err := c.Up(ctx); err != nil {
		return err
	}
	variables, err := c.Env()
	if err != nil {
		return err
	}
	if _, err := stdout.Write(cluster.Shell(variables)); err != nil {
		return fmt.Errorf("printing the environment: %w", err)
	}
	printer.Say("the cluster is up; for its environment: . %s", c.EnvFile())
	return nil
}

func status(ctx context.Context, c *cluster.Cluster, stdout io.Writer) error {
	ready, err := c.Status(ctx, stdout)
	if err == nil && !ready {
		return errors.New("not everything is ready; go run ./hack/cluster up starts what is missing")
	}
	return err
}

func env(c *cluster.Cluster, args []string, stdout io.Writer) error {
	variables, err := c.Env()
	if err != nil {
		return err
	}
	content := cluster.Shell(variables)
	switch {
	case len(args) == 0:
	case len(args) == 2 && args[0] == "-o" && args[1] == "json", len(args) == 1 && args[0] == "-o=json":
		if content, err = cluster.JSON(variables); err != nil {
			return err
		}
	default:
		return errUsage
	}
	_, err = stdout.Write(content)
	return err
}

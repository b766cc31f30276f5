// Package command is the program proa as a library: a main of your own puts it together with flavors of your own.
//
//	func main() { os.Exit(command.Main(context.Background(), &command.Options{Flavors: mine})) }
//
// docs/extending.md shows a whole one.
package command

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/flavor/standard"
	"github.com/proa-ml/proa/internal/cli"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Options are what a program has beyond proa itself.
type Options struct {
	// Flavors are added to the built-in ones.
	Flavors []flavor.Flavor
	// Opener returns what opens components. It is given the opener of the built-in flavors, whose catalogue has the added
	// ones, too; a type of your own embeds it and opens its own flavors itself. nil means that one.
	Opener func(builtIn standard.Opener) flavor.Opener
}

// Main runs the program with the arguments, the environment and the streams of this process, and returns its exit code.
// nil Options mean proa as it is.
func Main(ctx context.Context, opts *Options) int {
	k, err := newKit(opts)
	if err != nil {
		_, _ = os.Stderr.WriteString("Error: " + err.Error() + "\n")
		return 4
	}
	interrupts := make(chan os.Signal, 4)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	k.Interrupts, k.Release = interrupts, func() { signal.Stop(interrupts) }
	return cli.Main(ctx, k, os.Args[1:])
}

// Reference returns the documentation of the program's commands and flavors, by path below docs.
func Reference(opts *Options) (map[string]string, error) {
	k, err := newKit(opts)
	if err != nil {
		return nil, err
	}
	return cli.Reference(k), nil
}

// Tree returns the program's commands, for what looks at them and runs none.
func Tree(opts *Options) (*cobra.Command, error) {
	k, err := newKit(opts)
	if err != nil {
		return nil, err
	}
	return cli.Tree(k), nil
}

// newKit is the one place that looks at the process's surroundings.
func newKit(opts *Options) (*kit.Kit, error) {
	if opts == nil {
		opts = &Options{}
	}
	configDir, dataDir := kit.ConfigDir(os.Getenv), kit.DataDir(os.Getenv)
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	catalogue, err := standard.Catalogue(standard.Kubeconfig(os.Getenv)).With(opts.Flavors...)
	if err != nil {
		return nil, fmt.Errorf("putting the program together: %w", err)
	}
	profiles := stack.Profiles{Dir: configDir}
	profile := kit.ActiveProfile(profiles, dir)
	var made *kit.Kit
	builtIn := standard.Opener{
		Catalogue: catalogue, DataDir: kit.ProfileData(dataDir, profile.Name), Env: os.Getenv, Environ: os.Environ(), Now: time.Now, Rand: rand.Reader,
		CacheDir: func() (string, error) { return kit.CacheDir(os.Getenv) },
	}
	streams := streams(os.Getenv)
	if streams.InTerminal {
		builtIn.Ask = func(ctx context.Context, anew bool) (string, error) { return made.AskPassphrase(ctx, anew) }
	}
	var opener flavor.Opener = builtIn
	if opts.Opener != nil {
		opener = opts.Opener(builtIn)
	}
	made = &kit.Kit{
		Streams: streams,
		Env:     os.Getenv, Environ: os.Environ(), Now: time.Now, Rand: rand.Reader,
		Dir: dir, Executable: executable, Version: cli.Version,
		Profiles: profiles, Profile: profile,
		Files: stack.Files{
			Dir: profiles.Folder(profile.Name), Err: profile.Err,
			BuiltIn: standard.BuiltIn(kit.ProfileData(dataDir, profile.Name)),
		},
		Contexts: func() ([]string, string, error) {
			return kubeconfig.Contexts(kubeconfig.Files(os.Getenv))
		},
		Catalogue: catalogue,
		Opener:    opener,
		Exec:      syscall.Exec, TrustRoots: trustRoots,
	}
	return made, nil
}

func streams(env func(string) string) kit.Streams {
	terminal := func(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }
	styled := env("NO_COLOR") == "" && env("TERM") != "dumb"
	return kit.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: terminal(os.Stdin), OutTerminal: terminal(os.Stdout), ErrTerminal: terminal(os.Stderr),
		OutStyled: styled && terminal(os.Stdout), ErrStyled: styled && terminal(os.Stderr),
		Hide: hide, Size: size, Page: page,
	}
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

// Package kit is what every command is made with: the streams, the environment, the clock, the stacks and the catalogue
// of flavors, all passed in from the top so that a test can put others in their place.
package kit

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/progress"
	"github.com/proa-ml/proa/internal/cli/text"
	"github.com/proa-ml/proa/stack"
)

// Streams are a command's streams. Data goes to Out, everything else to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTerminal, OutTerminal and ErrTerminal say whether a person is at the stream, through a terminal.
	InTerminal, OutTerminal, ErrTerminal bool
	// OutStyled and ErrStyled say whether colours and emoji may be used there.
	OutStyled, ErrStyled bool
	// Hide keeps what is typed from appearing on the terminal, until show is called.
	Hide func() (show func(), err error)
	// Size is the terminal's size; nil means unbounded.
	Size func() (columns, rows int)
	// Page shows a text page by page, and reports whether it did; nil means that it can't.
	Page func(text string) bool
}

// Kit is what commands are made with.
type Kit struct {
	Streams
	// Env looks a variable up; Environ is the whole environment for child processes.
	Env     func(string) string
	Environ []string
	Now     func() time.Time
	Rand    io.Reader
	// Dir is the working directory, Executable this program's path.
	Dir, Executable string
	Version         string
	Profiles        stack.Profiles
	// Profile is the one in force; Files are its.
	Profile Profile
	Files   stack.Files
	// Contexts lists the contexts of the user's kubeconfig and names the active one.
	Contexts  func() (names []string, active string, err error)
	Catalogue flavor.Catalogue
	Opener    flavor.Opener
	// Interrupts receives every Ctrl-C and SIGTERM, and Release gives them their usual effect back. Commands end by their
	// ctx; those that end in their own way call TakeInterrupts.
	Interrupts <-chan os.Signal
	Release    func()
	// passphrase is that of the secrets, once it was asked for.
	passphrase *string
	asking     sync.Mutex
	// leave makes what ends the ctx stop listening to Interrupts.
	leave func()
	// Exec replaces this process by another program.
	Exec func(program string, argv, environ []string) error
	// TrustRoots makes the process trust the usual authorities where the system has no list of its own, as in an image
	// without files.
	TrustRoots func()
}

// View makes the view of a run for this terminal.
func (k *Kit) View() *progress.View {
	live := k.ErrTerminal && k.Env("TERM") != "dumb" && k.Env("CI") == ""
	return progress.New(k.Err, progress.Options{
		Live: live, Color: live && k.ErrStyled, Size: k.Size, Now: k.Now,
	})
}

// Statusf tells the user something that is not data.
func (k *Kit) Statusf(format string, args ...any) {
	_, _ = fmt.Fprintf(k.Err, format+"\n", args...)
}

// Warn tells the user of something that may be wrong.
func (k *Kit) Warn(warning string) {
	k.Statusf("%s %s", k.paint(text.Yellow, "Warning:"), warning)
}

// Fail tells the user of an error, and what to do about it.
func (k *Kit) Fail(err error) {
	k.Statusf("%s %v", k.paint(text.Bold+";"+text.Red, "Error:"), err)
	if hint := fault.HintOf(err); hint != "" {
		k.Statusf("  -> %s", hint)
	}
}

func (k *Kit) paint(color, words string) string {
	if !k.ErrStyled {
		return words
	}
	return text.Paint(color, words)
}

// Active is the stack in force, and where that is set.
type Active struct {
	Name string
	// Repository is set if the working directory is in a repository; Own says that it names the stack.
	Repository *stack.Repository
	Own        bool
}

// Scope is where the active stack is set, in words.
func (a Active) Scope() string {
	if a.Own {
		return "repository " + a.Repository.Root
	}
	return "global"
}

// Active finds out which stack is in force.
func (k *Kit) Active(config *stack.Config) (Active, error) {
	repository := stack.FindRepository(k.Dir)
	if repository == nil {
		return Active{Name: config.Active()}, nil
	}
	own, err := repository.Active()
	if err != nil || own == "" {
		return Active{Name: config.Active(), Repository: repository}, err
	}
	return Active{Name: own, Repository: repository, Own: true}, nil
}

// Load reads the config and which stack is in force.
func (k *Kit) Load() (*stack.Config, Active, error) {
	config, err := k.Files.Load()
	if err != nil {
		return nil, Active{}, err
	}
	active, err := k.Active(config)
	return config, active, err
}

// Stack returns the stack in force, validated. Warnings are told.
func (k *Kit) Stack() (stack.Resolved, error) {
	config, resolved, err := k.resolve()
	if err != nil {
		return stack.Resolved{}, err
	}
	if err := k.firstProblem(config, resolved); err != nil {
		return stack.Resolved{}, fmt.Errorf("stack %q can't be used: %w", resolved.Name, err)
	}
	warnings, err := k.Catalogue.Validate(resolved)
	for _, w := range warnings {
		k.Warn(w)
	}
	if err != nil {
		return stack.Resolved{}, fmt.Errorf("stack %q can't be used: %w", resolved.Name, err)
	}
	return resolved, nil
}

// StackToRead returns the stack in force without the validation that only running needs.
func (k *Kit) StackToRead() (stack.Resolved, error) {
	_, resolved, err := k.resolve()
	return resolved, err
}

func (k *Kit) resolve() (*stack.Config, stack.Resolved, error) {
	config, active, err := k.Load()
	if err != nil {
		return nil, stack.Resolved{}, err
	}
	resolved, err := config.Resolve(active.Name)
	if err != nil {
		return nil, stack.Resolved{}, fmt.Errorf("the active stack (%s): %w", active.Scope(), err)
	}
	return config, resolved, nil
}

// ConfigDir is where stacks are kept; empty if there is no such place.
func ConfigDir(env func(string) string) string {
	return xdg(env, "PROA_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")
}

// DataDir is where the built-in stack keeps its data; empty if there is no such place.
func DataDir(env func(string) string) string {
	return xdg(env, "PROA_DATA_DIR", "XDG_DATA_HOME", ".local/share")
}

// CacheDir is where what can be made again is kept.
func CacheDir(env func(string) string) (string, error) {
	dir := xdg(env, "PROA_CACHE_DIR", "XDG_CACHE_HOME", ".cache")
	if dir == "" {
		return "", fault.New(fault.Configuration, "set HOME or PROA_CACHE_DIR", "there is no place for proa's cache: HOME is not set")
	}
	return dir, nil
}

func xdg(env func(string) string, own, standard, home string) string {
	if dir := env(own); dir != "" {
		if absolute, err := filepath.Abs(dir); err == nil {
			return absolute
		}
	}
	if dir := env(standard); filepath.IsAbs(dir) {
		return filepath.Join(dir, "proa")
	}
	if dir := env("HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, home, "proa")
	}
	return ""
}

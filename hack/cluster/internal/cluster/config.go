// Package cluster brings the throw-away Kubernetes cluster and its services up and down.
//
// It is a real cluster, of the components that upstream ships, on one node: this machine. Everything that it keeps is below one
// state directory, everything that it runs is in one network namespace and one tree of control groups, so that it can be found,
// and taken away, whole.
package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/build"
	"github.com/proa-ml/proa/hack/cluster/internal/progress"
)

// Options say where a cluster is kept. All of them are needed.
type Options struct {
	State    string // directory of everything that the cluster keeps
	Cache    string // directory of what was built, shared by all clusters of a user
	Dir      string // the repository, or a directory in it: there the sources of the components are
	Env      []string
	Now      func() time.Time
	Progress *progress.Printer
}

// A Cluster is one cluster, running or not.
type Cluster struct {
	state    layout
	cache    build.Cache
	workdir  string
	env      []string
	now      func() time.Time
	progress *progress.Printer
}

// longestState is what keeps the paths of sockets below the kernel's limit of 107 bytes.
const longestState = 70

// New returns the cluster of a state directory.
func New(options Options) (*Cluster, error) {
	state, err := filepath.Abs(options.State)
	if err != nil {
		return nil, fmt.Errorf("finding the state directory: %w", err)
	}
	if len(state) > longestState {
		return nil, fmt.Errorf("the state directory's path is longer than %d bytes, too long for sockets below it: %s; set PROA_CLUSTER_DIR to a shorter one", longestState, state)
	}
	return &Cluster{
		state:    layout(state),
		cache:    build.Cache{Dir: options.Cache, Say: options.Progress.Say, Now: options.Now},
		workdir:  options.Dir,
		env:      options.Env,
		now:      options.Now,
		progress: options.Progress,
	}, nil
}

// findSource looks for the components' module in a directory and those above it.
func findSource(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		source := filepath.Join(at, "hack", "cluster", "components")
		if _, err := os.Stat(filepath.Join(source, "go.mod")); err == nil {
			return source, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no hack/cluster/components in %s or above it: run this from within the repository", dir)
		}
	}
}

// A layout is the state directory: it knows where everything is in it.
type layout string

func (l layout) path(elements ...string) string {
	return filepath.Join(append([]string{string(l)}, elements...)...)
}

func (l layout) lock() string                  { return l.path("lock") }
func (l layout) facts() string                 { return l.path("cluster.json") }
func (l layout) env() string                   { return l.path("env") }
func (l layout) tried() string                 { return l.path("run", "tried") }
func (l layout) namespace() string             { return l.path("netns") }
func (l layout) bin(name string) string        { return l.path("bin", name) }
func (l layout) pki(name string) string        { return l.path("pki", name) }
func (l layout) config(name string) string     { return l.path("config", name) }
func (l layout) data(name string) string       { return l.path("data", name) }
func (l layout) kubeconfig(name string) string { return l.path("config", name+".kubeconfig") }
func (l layout) containerdSocket() string      { return l.path("data", "containerd.sock") }
func (l layout) dockerSocket() string          { return l.path("data", "docker.sock") }

// lasting are the directories that outlive the loss of all data: what is in them keeps the addresses and the keys the same.
func lasting() []string { return []string{"bin", "pki", "config", "log"} }

// fleeting are the directories of data.
func fleeting() []string { return []string{"data", "run"} }

// claim makes the state directory. One that holds something else is refused, for down removes it.
func (l layout) claim() error {
	entries, err := os.ReadDir(string(l))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the state directory: %w", err)
	}
	if len(entries) > 0 && !l.ours() {
		return fmt.Errorf("%s is not empty, and no cluster's; set PROA_CLUSTER_DIR to a directory that the cluster may have to itself", l)
	}
	if err := os.MkdirAll(string(l), 0o755); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	return nil
}

// make makes the directories in the state directory.
func (l layout) make() error {
	for _, name := range append(lasting(), fleeting()...) {
		if err := os.MkdirAll(l.path(name), 0o755); err != nil {
			return fmt.Errorf("making the state directory: %w", err)
		}
	}
	return nil
}

// clear removes all that is in the state directory but the lock, by which the directory is known to be a cluster's. The facts go
// first: without them, what else is left is not relied upon.
func (l layout) clear() error {
	entries, err := os.ReadDir(string(l))
	if err != nil {
		return fmt.Errorf("reading the state directory: %w", err)
	}
	paths := []string{l.facts()}
	for _, entry := range entries {
		if path := l.path(entry.Name()); path != l.lock() {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("clearing the state directory: %w", err)
		}
	}
	return nil
}

// ours reports whether the directory is a cluster's.
func (l layout) ours() bool {
	_, err := os.Stat(l.lock())
	return err == nil
}

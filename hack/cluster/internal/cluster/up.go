package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/build"
	"github.com/proa-ml/proa/hack/cluster/internal/cgroup"
	"github.com/proa-ml/proa/hack/cluster/internal/debian"
	"github.com/proa-ml/proa/hack/cluster/internal/file"
	"github.com/proa-ml/proa/hack/cluster/internal/process"
)

const (
	pauseRepository = "pause"
	pauseTag        = "3"

	readyLimit = 2 * time.Minute // how long any one part may take to be ready
)

// Up brings the cluster up from nothing, from the remains of one that was killed, or not at all if it is up already.
func (c *Cluster) Up(ctx context.Context) error {
	if err := debian.Check(); err != nil {
		return err
	}
	if err := c.state.claim(); err != nil {
		return err
	}
	unlock, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.state.make(); err != nil {
		return err
	}
	made, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	f, err := c.settle(ctx, made)
	if err != nil {
		return err
	}
	changed, err := c.start(ctx, f, made)
	if err != nil && ctx.Err() == nil && f.Complete {
		c.progress.Say("%v", err)
		c.progress.Say("the cluster does not come up over what was left of it: its data are removed and it starts from nothing")
		if f, err = c.startOver(ctx, f); err == nil {
			changed, err = c.start(ctx, f, made)
		}
	}
	if err != nil {
		return err
	}
	f.Complete = true
	if err := writeFacts(c.state, f); err != nil {
		return err
	}
	if err := c.writeEnv(f); err != nil {
		return err
	}
	if !changed {
		c.progress.Say("the cluster was up already")
	}
	return nil
}

// take locks the state directory.
func (c *Cluster) take(ctx context.Context) (unlock func(), err error) {
	return file.Lock(ctx, c.state.lock(), func() {
		c.progress.Say("another command works on this cluster; waiting for it")
	})
}

// parts are what was built or found in the cache.
type parts struct {
	version    string // of the components
	components string
	pause      string
	python     string
	pythonIs   string // its version
	database   string
}

// prepare installs, builds and downloads what is not there yet.
func (c *Cluster) prepare(ctx context.Context) (parts, error) {
	apt := &debian.Apt{}
	if missing := debian.Missing(debian.Programs()); len(missing) > 0 {
		err := c.progress.Do("installing "+strings.Join(missing, " "), func() error { return apt.Install(ctx, missing) })
		if err != nil {
			return parts{}, err
		}
	}
	var p parts
	source, err := findSource(c.workdir)
	if err != nil {
		return parts{}, err
	}
	if p.version, err = build.SourceKey(source); err != nil {
		return parts{}, err
	}
	tasks := []task{
		{name: "components", run: c.saying("components built", func(ctx context.Context) (err error) {
			p.components, err = c.cache.Components(ctx, source, p.version)
			return err
		})},
		{name: "pause", needs: []string{"components"}, run: func(ctx context.Context) (err error) {
			p.pause, err = c.cache.Pause(ctx, p.components, p.version)
			return err
		}},
		{name: "python", run: c.saying("Python base image made", func(ctx context.Context) (err error) {
			p.python, p.pythonIs, err = c.cache.Python(ctx, apt)
			return err
		})},
		{name: "database", run: func(ctx context.Context) (err error) {
			p.database, err = c.cache.Database(ctx)
			return err
		}},
	}
	if err := runTasks(ctx, tasks); err != nil {
		return parts{}, err
	}
	return p, c.installBinaries(p)
}

func (c *Cluster) saying(what string, run func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return c.progress.Do(what, func() error { return run(ctx) })
	}
}

// installBinaries puts the components into the state directory, so that the cluster needs the cache only while it starts.
func (c *Cluster) installBinaries(p parts) error {
	from, to := filepath.Join(p.components, "components"), c.state.bin("components-"+p.version)
	if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
		if err := os.Link(from, to); err != nil {
			content, err := os.ReadFile(from)
			if err != nil {
				return fmt.Errorf("reading the components: %w", err)
			}
			if err := file.Write(to, content, 0o755); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		"etcd", "registry", "s3", "dns"} {
		temp := c.state.bin("." + name)
		_ = os.Remove(temp) // of a command that was killed
		if err := os.Symlink(filepath.Base(to), temp); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
		if err := os.Rename(temp, c.state.bin(name)); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return nil
}

// settle decides on which facts the cluster starts, and clears away what they do not allow to keep.
func (c *Cluster) settle(ctx context.Context, p parts) (facts, error) {
	f, found, err := readFacts(c.state)
	if err != nil {
		return facts{}, err
	}
	if !found {
		if f, err = newFacts(c.state); err != nil {
			return facts{}, err
		}
	}
	boot, err := process.Boot()
	if err != nil {
		return facts{}, err
	}
	f.Version, f.Python = p.version, p.pythonIs
	if !f.Complete || f.Boot != boot {
		// A first start that did not finish leaves nothing worth keeping; and data that is never synced does not outlive the machine.
		return c.startOver(ctx, f)
	}
	return f, nil
}

// startOver removes everything but addresses, keys and secrets.
func (c *Cluster) startOver(ctx context.Context, f facts) (facts, error) {
	if err := c.remove(ctx, f); err != nil {
		return facts{}, err
	}
	for _, name := range fleeting() {
		if err := os.RemoveAll(c.state.path(name)); err != nil {
			return facts{}, fmt.Errorf("removing the cluster's data: %w", err)
		}
	}
	boot, err := process.Boot()
	if err != nil {
		return facts{}, err
	}
	f.Boot, f.Complete = boot, false
	if err := f.chooseSubnet(c.state); err != nil {
		return facts{}, err
	}
	if err := c.state.make(); err != nil {
		return facts{}, err
	}
	return f, writeFacts(c.state, f)
}

// start starts what does not run, or not as it should, and does the chores. It tells whether it had to start anything.
func (c *Cluster) start(ctx context.Context, f facts, p parts) (changed bool, err error) {
	if err := c.writeCertificates(f); err != nil {
		return false, fmt.Errorf("making the certificates: %w", err)
	}
	if err := c.writeConfigs(f); err != nil {
		return false, err
	}
	if network := f.namespace(c.state); !network.Exists() {
		// Whatever still runs is in a namespace that cannot be reached any more.
		if err := c.remove(ctx, f); err != nil {
			return false, err
		}
		if err := c.progress.Do("network", func() error { return network.Create(ctx) }); err != nil {
			return false, err
		}
	}
	tree, err := cgroup.Open(f.group())
	if err != nil {
		return false, err
	}
	group, err := tree.Create()
	if err != nil {
		return false, err
	}
	run := &starter{cluster: c, facts: f, version: f.Version, group: group}
	var tasks []task
	for _, server := range c.servers(f) {
		tasks = append(tasks, task{name: server.name, needs: server.needs, run: func(ctx context.Context) error { return run.start(ctx, server) }})
	}
	tasks = append(tasks, c.chores(f, p)...)
	if err := runTasks(ctx, tasks); err != nil {
		return run.started.Load(), err
	}
	if !run.started.Load() {
		return false, nil
	}
	return true, c.progress.Do("a pod ran, and reached the services", func() error { return c.tryPod(ctx, f) })
}

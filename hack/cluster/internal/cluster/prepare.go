package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/hack/cluster/internal/build"
	"github.com/proa-ml/proa/hack/cluster/internal/debian"
	"github.com/proa-ml/proa/hack/cluster/internal/file"
)

// parts are what was built or found in the cache.
type parts struct {
	components build.Components
	pause      string
	python     string
	pythonIs   string // its version
	database   string
	mariadb    string // the image for pods
	buildkit   string // the image of a builder of images
	volumes    string
	emulators  build.Components
	azurite    string   // its program
	oracle     []string // the command of MySQL's own server
	noOracle   string   // why there is none
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
	tasks := []task{
		{name: "components", run: c.saying("components", func(ctx context.Context) (err error) {
			p.components, err = c.cache.Components(ctx, source)
			return err
		})},
		{name: "pause", needs: []string{"components"}, run: func(ctx context.Context) (err error) {
			p.pause, err = c.cache.Pause(ctx, p.components)
			return err
		}},
		{name: "python", run: c.saying("Python base image", func(ctx context.Context) (err error) {
			p.python, p.pythonIs, err = c.cache.Python(ctx, apt)
			return err
		})},
		// apt-get bears no second one beside it.
		{name: "mariadb", needs: []string{"python"}, run: c.saying("MariaDB image", func(ctx context.Context) (err error) {
			p.mariadb, err = c.cache.MariaDB(ctx, apt)
			return err
		})},
		// Neither apt-get nor a compiler is to run beside another.
		{name: "buildkit", needs: []string{"mariadb", "emulators"}, run: c.saying("BuildKit image", func(ctx context.Context) (err error) {
			p.buildkit, err = c.cache.BuildKit(ctx, filepath.Join(filepath.Dir(source), "buildkit"), apt)
			return err
		})},
		{name: "volumes", run: func(ctx context.Context) (err error) {
			p.volumes, err = c.cache.Volumes(ctx, source)
			return err
		}},
		// Compilers beside each other would take as long, and more memory.
		{name: "emulators", needs: []string{"components"}, run: c.saying("storage emulator", func(ctx context.Context) (err error) {
			p.emulators, err = c.cache.Emulators(ctx, filepath.Join(filepath.Dir(source), "emulators"))
			return err
		})},
		{name: "azurite", run: c.saying("Azurite", func(ctx context.Context) (err error) {
			p.azurite, err = c.cache.Azurite(ctx, filepath.Join(filepath.Dir(source), "emulators", "azurite"))
			return err
		})},
		{name: oracleName, needs: []string{"mariadb"}, run: c.saying("MySQL", func(ctx context.Context) error { return c.findOracle(ctx, apt, &p) })},
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
	name := "components-" + p.components.Version
	from, to := filepath.Join(p.components.Dir, "components"), c.state.bin(name)
	if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
		if err := linkOrCopy(from, to); err != nil {
			return err
		}
	}
	for _, link := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		"etcd", "registry", "s3", "dns"} {
		temp := c.state.bin("." + link)
		_ = os.Remove(temp) // of a command that was killed
		if err := os.Symlink(name, temp); err != nil {
			return fmt.Errorf("linking %s: %w", link, err)
		}
		if err := os.Rename(temp, c.state.bin(link)); err != nil {
			return fmt.Errorf("linking %s: %w", link, err)
		}
	}
	if err := c.removeOldBinaries(to); err != nil {
		return err
	}
	if err := c.installVolumes(p); err != nil {
		return err
	}
	return c.installEmulators(p)
}

// installEmulators puts the storage emulator beside them. Azurite, whose files are many, stays in the cache.
func (c *Cluster) installEmulators(p parts) error {
	to := c.state.bin(emulatorsBinary(p.emulators))
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	return linkOrCopy(filepath.Join(p.emulators.Dir, "emulators"), to)
}

func emulatorsBinary(made build.Components) string { return "emulators-" + made.Version }

// installVolumes puts the server of volumes beside them, and leaves a running one's file alone.
func (c *Cluster) installVolumes(p parts) error {
	to := c.state.bin(volumesBinary(p.volumes))
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	return linkOrCopy(filepath.Join(p.volumes, "volumes"), to)
}

// volumesBinary names the server of volumes by what it was built from.
func volumesBinary(built string) string { return filepath.Base(built) }

func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading the components: %w", err)
	}
	return file.Write(to, content, 0o755)
}

// removeOldBinaries removes other versions than the current one. What still runs of them is about to be restarted.
func (c *Cluster) removeOldBinaries(current string) error {
	paths, err := filepath.Glob(c.state.bin("components-*"))
	if err != nil {
		return fmt.Errorf("looking for old components: %w", err)
	}
	for _, path := range paths {
		if path == current {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing old components: %w", err)
		}
	}
	return nil
}

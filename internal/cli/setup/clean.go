package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// NewClean makes `proa clean`.
func NewClean(k *kit.Kit) *cobra.Command {
	var yes, local bool
	cmd := &cobra.Command{
		Use: "clean", Short: "Remove what the built-in stack has kept on this machine, and proa's caches",
		Long: "Remove the runs, artifacts and facts that the active profile's built-in stack has kept on this machine, and proa's caches.\n" +
			"With --local the caches stay. Stacks and components stay registered, and what other stacks have kept elsewhere is not\n" +
			"touched: `proa runs delete` and `proa artifact prune` clear out those. It says what it removes, and asks.",
		Example: "  proa clean\n  proa clean --local --yes",
		Args:    kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			targets, err := dirt(k, local)
			if err != nil {
				return err
			}
			if len(targets) == 0 {
				k.Statusf("There is nothing to remove.")
				return nil
			}
			if err := idle(cmd.Context(), k); err != nil {
				return err
			}
			for _, t := range targets {
				k.Statusf("%s: %s", t.path, t.what)
			}
			if !yes {
				if err := k.Agree(cmd.Context(), "Remove all of it?", "--yes"); err != nil {
					return err
				}
			}
			for _, t := range targets {
				if err := os.RemoveAll(t.path); err != nil {
					return fault.New(fault.Configuration, "check the owner and mode of what is left", "removing %s: %w", t.what, err)
				}
			}
			k.Statusf("Removed.")
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	cmd.Flags().BoolVar(&local, "local", false, "leave the caches")
	return cmd
}

// target is something to remove.
type target struct{ path, what string }

// dirt lists what there is to remove.
func dirt(k *kit.Kit, local bool) ([]target, error) {
	var all []target
	for _, c := range k.Files.BuiltIn {
		path := c.Attributes["path"]
		switch {
		case path == "":
		case c.Kind == stack.ArtifactStore:
			all = append(all, target{path, "the artifacts and logs of the built-in stack"})
		case c.Kind == stack.MetadataStore:
			all = append(all, target{path, "the runs of the built-in stack"})
			for _, beside := range []string{"-wal", "-shm", "-journal"} {
				all = append(all, target{path + beside, "what SQLite keeps beside it"})
			}
		}
	}
	if !local {
		cache, err := kit.CacheDir(k.Env)
		if err != nil {
			return nil, err
		}
		all = append(all, target{cache, "proa's caches: what they hold is made again"})
	}
	var there []target
	for _, t := range all {
		info, err := os.Lstat(t.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fault.New(fault.Configuration, "check the owner and mode of the folder", "looking for what to remove: %w", err)
		case !info.IsDir():
			there = append(there, t)
		default:
			t.what = strings.TrimSpace(fmt.Sprintf("%s (%s)", t.what, amount(t.path)))
			there = append(there, t)
		}
	}
	return there, nil
}

// amount says how much a folder holds.
func amount(dir string) string {
	files, bytes := 0, int64(0)
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // it is only said how much there is
		}
		files++
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return fmt.Sprintf("%s, %.1f MiB", inspect.Count(files, "file"), float64(bytes)/(1<<20))
}

// idle returns an error if a run of the built-in stack is recorded as running.
func idle(ctx context.Context, k *kit.Kit) (err error) {
	resolved, err := stack.NewConfig(k.Files.BuiltIn).Resolve(stack.DefaultName)
	if err != nil {
		return err
	}
	if _, err := os.Stat(resolved.Components[stack.MetadataStore].Attributes["path"]); err != nil {
		return nil //nolint:nilerr // without a database there are no runs
	}
	store, err := k.Opener.Metadata(ctx, resolved)
	if err != nil {
		k.Warn("whether runs are going on is not known: " + err.Error())
		return nil // a damaged database is to be removed most of all
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, status := range []run.Status{run.Pending, run.Running} {
		runs, err := store.Runs(ctx, driver.Query{Status: string(status), Limit: 1})
		if err != nil {
			k.Warn("whether runs are going on is not known: " + err.Error())
			return nil
		}
		if len(runs) > 0 {
			return fault.New(fault.Usage, "end it first: `proa stack set default`, `proa runs cancel "+runs[0].Name+"`",
				"the run %s of the built-in stack is recorded as %s", runs[0].Name, status)
		}
	}
	return nil
}

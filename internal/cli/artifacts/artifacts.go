// Package artifacts is the command `proa artifact`.
package artifacts

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("artifact", "List, show, fetch and prune artifacts of the active stack", n.getCommand(), n.listCommand(), n.showCommand(), n.lineageCommand(), n.pruneCommand())
}

func (n noun) getCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Example: "  proa artifact get sha256:1f0c --to model",
		Use:     "get DIGEST --to DIR", Short: "Write an artifact's files to a folder, which must be new or empty", Args: kit.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if to == "" {
				return fault.New(fault.Usage, "usage: proa artifact get DIGEST --to DIR", "name the folder with --to")
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(n.Dir, to)
			}
			if entries, err := os.ReadDir(to); err == nil && len(entries) > 0 {
				return fault.New(fault.Usage, "name a new folder", "the folder %s is not empty", to)
			}
			stores, err := n.OpenArtifacts(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			digest, err := stores.Artifacts.Complete(cmd.Context(), args[0])
			if err == nil {
				_, err = stores.Artifacts.Fetch(cmd.Context(), digest, to)
			}
			return noArtifact(err, args[0], stores.Stack.Name)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the folder")
	return cmd
}

func noArtifact(err error, digest, stackName string) error {
	if errors.Is(err, artifact.ErrNoDigest) || errors.Is(err, artifact.ErrAmbiguous) {
		return fault.New(fault.Usage, "`proa artifact list` shows whole digests", "%w", err)
	}
	if !errors.Is(err, artifact.ErrNotFound) {
		return err
	}
	return fault.New(fault.Usage, "`proa artifact list` shows them; another stack may have it (`proa stack list`)",
		"there is no artifact %s in the artifact store of the stack %q", digest, stackName)
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	var runName string
	query := driver.Query{Limit: 10}
	cmd := &cobra.Command{
		Example: "  proa artifact list",
		Use:     "list", Short: "List the artifacts of a run, or of the latest runs", Args: kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			names := []string{runName}
			if runName == "" {
				if names, err = latest(cmd, stores, query); err != nil {
					return err
				}
			}
			all := []inspect.Produced{}
			table := output.Table{Header: []string{"DIGEST", "RUN", "STEP", "OUTPUT", "SIZE", "PREVIEW"}}
			for _, name := range names {
				r, err := inspect.Read(cmd.Context(), stores.Metadata, name)
				if err != nil {
					return kit.NoRun(err, name, stores.Stack.Name)
				}
				for _, a := range r.Artifacts() {
					all = append(all, a)
					table.Rows = append(table.Rows, []string{a.Digest, a.Run, a.Step, a.Output, inspect.Size(a.Size), a.Preview})
				}
			}
			return output.Print(n.Streams, format, all, table)
		},
	}
	output.AddFlag(cmd, &format)
	cmd.Flags().StringVar(&runName, "run", "", "only the artifacts of this run")
	cmd.Flags().IntVar(&query.Limit, "runs", 10, "of how many of the latest runs")
	return cmd
}

func latest(cmd *cobra.Command, stores kit.Stores, q driver.Query) ([]string, error) {
	runs, err := inspect.List(cmd.Context(), stores.Metadata, q)
	var names []string
	for _, r := range runs {
		names = append(names, r.Name)
	}
	return names, err
}

func (n noun) showCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa artifact show sha256:1f0c",
		Use:     "show DIGEST", Short: "Show what an artifact is made of", Args: kit.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			stores, err := n.OpenArtifacts(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			digest, err := stores.Artifacts.Complete(cmd.Context(), args[0])
			if err != nil {
				return noArtifact(err, args[0], stores.Stack.Name)
			}
			m, err := stores.Artifacts.Manifest(cmd.Context(), digest)
			if err != nil {
				return noArtifact(err, args[0], stores.Stack.Name)
			}
			table := output.Table{Header: []string{"FILE", "SIZE", "DIGEST"}}
			for _, f := range m.Files {
				table.Rows = append(table.Rows, []string{f.Path, inspect.Size(f.Size), f.Digest})
			}
			if format.ForPeople() {
				n.Statusf("Artifact %s: %s, %s, saved by %s", digest, m.Type, m.Preview, m.Materializer)
			}
			return output.Print(n.Streams, format, m, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

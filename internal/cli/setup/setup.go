// Package setup holds the commands about this machine and its folders: init, version, config, doctor and clean.
package setup

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// NewInit makes `proa init`.
func NewInit(k *kit.Kit) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Example: "  proa init",
		Use:     "init", Short: "Make a folder a repository: the root of a project's code, with its own active stack", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			dir := path
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(k.Dir, dir)
			}
			created, err := stack.InitRepository(dir)
			if err != nil {
				return err
			}
			if !created {
				k.Statusf("%s is a proa repository already.", dir)
				return nil
			}
			k.Statusf("proa repository initialized at %s.", dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "path", ".", "the folder")
	return cmd
}

// NewVersion makes `proa version`.
func NewVersion(k *kit.Kit) *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa version\n  proa version -o json",
		Use:     "version", Short: "Print the version of proa", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			value := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{k.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if format.ForPeople() {
				_, err := fmt.Fprintln(k.Out, "proa", value.Version)
				return err
			}
			return output.Print(k.Streams, format, value, output.Table{Names: []string{k.Version}})
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

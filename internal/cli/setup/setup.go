// Package setup holds the commands that prepare a machine or a folder: init, version and integration.
package setup

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/internal/strict"
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
			return output.Print(k.Streams, format, value, output.Table{})
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// integrations are the names that users of the reference install; everything of them is built in.
func integrations() []string { return []string{"kubernetes", "mysql", "s3"} }

// NewIntegration makes `proa integration`.
func NewIntegration(k *kit.Kit) *cobra.Command {
	var yes bool
	install := &cobra.Command{
		Example: "  proa integration install kubernetes",
		Use:     "install NAME...", Short: "Say that an integration is built in: proa needs no plug-ins", Args: kit.Args(1, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if err := known(name); err != nil {
					return err
				}
			}
			for _, name := range args {
				k.Statusf("Integration '%s' is built in: there is nothing to install.", name)
			}
			return nil
		},
	}
	install.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask (nothing is asked)")
	list := &cobra.Command{
		Example: "  proa integration list",
		Use:     "list", Short: "List the integrations", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			table := output.Table{Header: []string{"NAME", "STATE"}}
			for _, name := range integrations() {
				table.Rows = append(table.Rows, []string{name, "built in"})
			}
			return output.Print(k.Streams, "table", nil, table)
		},
	}
	return kit.Group("integration", "Show which integrations there are", install, list)
}

func known(name string) error {
	for _, builtIn := range integrations() {
		if name == builtIn {
			return nil
		}
	}
	hint := "Python packages that steps need go into the pipeline's settings: DockerSettings(requirements=[...])"
	if near := strict.Nearest(name, integrations()); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return fault.New(fault.Usage, hint, "there is no integration %q; built in: %s", name, strings.Join(integrations(), ", "))
}

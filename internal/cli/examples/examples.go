// Package examples is the command `proa example`.
package examples

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proa-ml/proa/examples"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/launch"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/spf13/cobra"
)

const (
	// script is what an example consists of at least.
	script = "run.py"
	// folder is where examples are put.
	folder = "proa_examples"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("example", "Copy the examples that come with proa, and run them", n.listCommand(), n.infoCommand(), n.pullCommand(), n.runCommand(), n.cleanCommand())
}

// example is one as programs read it.
type example struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// Requirements are what pip has to install for it.
	Requirements []string `json:"requirements"`
	Files        []string `json:"files"`
}

// all returns the examples by name.
func all() ([]example, error) {
	folders, err := fs.ReadDir(examples.Files, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the examples: %w", err)
	}
	var found []example
	for _, entry := range folders {
		e := example{Name: entry.Name(), Requirements: []string{}}
		err := fs.WalkDir(examples.Files, e.Name, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				e.Files = append(e.Files, strings.TrimPrefix(name, e.Name+"/"))
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the example %s: %w", e.Name, err)
		}
		code, err := examples.Files.ReadFile(path.Join(e.Name, script))
		if err != nil {
			return nil, fmt.Errorf("reading the example %s: %w", e.Name, err)
		}
		first, _, _ := strings.Cut(string(code), "\n")
		e.About = strings.Trim(first, `". `)
		if text, err := examples.Files.ReadFile(path.Join(e.Name, "requirements.txt")); err == nil {
			e.Requirements = strings.Fields(string(text))
		}
		found = append(found, e)
	}
	return found, nil
}

func find(name string) (example, error) {
	list, err := all()
	if err != nil {
		return example{}, err
	}
	var names []string
	for _, e := range list {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	hint := "`proa example list` shows them"
	if near := strict.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return example{}, fault.New(fault.Usage, hint, "there is no example %q; known: %s", name, strings.Join(names, ", "))
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa example list",
		Use:     "list", Short: "List the examples", Args: kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			list, err := all()
			if err != nil {
				return err
			}
			table := output.Table{Header: []string{"EXAMPLE", "NEEDS", "ABOUT"}}
			for _, e := range list {
				table.Rows = append(table.Rows, []string{e.Name, strings.Join(e.Requirements, " "), e.About})
			}
			return output.Print(n.Streams, format, list, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) pullCommand() *cobra.Command {
	var to string
	var force bool
	cmd := &cobra.Command{
		Use: "pull [NAME...]", Short: "Copy examples into a folder; all of them without a name",
		Long:    "Copy examples into a folder, each into one of its own name; all of them without a name. Files that were changed since they\nwere copied are kept, unless --force is given.",
		Example: "  proa example pull digits\n  proa example pull --path ~/learn",
		Args:    kit.Args(0, -1), ValidArgsFunction: complete,
		RunE: func(_ *cobra.Command, args []string) error {
			chosen, err := all()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				chosen = nil
				for _, name := range args {
					e, err := find(name)
					if err != nil {
						return err
					}
					chosen = append(chosen, e)
				}
			}
			for _, e := range chosen {
				dir, err := n.pull(e, to, force)
				if err != nil {
					return err
				}
				n.Statusf("Example '%s' is in %s.", e.Name, dir)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&to, "path", "p", folder, "the folder to copy them into")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "overwrite files that were changed")
	_ = cmd.MarkFlagDirname("path")
	return cmd
}

// pull writes an example's files below a folder and returns its own folder.
func (n noun) pull(e example, to string, force bool) (string, error) {
	dir := filepath.Join(n.absolute(to), e.Name)
	for _, name := range e.Files {
		data, err := examples.Files.ReadFile(path.Join(e.Name, name))
		if err != nil {
			return "", fmt.Errorf("reading the example %s: %w", e.Name, err)
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		old, err := os.ReadFile(file)
		if err == nil && string(old) != string(data) && !force {
			n.Warn(file + " was changed and is kept; --force overwrites it")
			continue
		}
		err = os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, data, 0o644)
		}
		if err != nil {
			return "", fault.New(fault.Configuration, "name a folder that you may write to with --path", "copying the example %s: %w", e.Name, err)
		}
	}
	return dir, nil
}

func (n noun) absolute(dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(n.Dir, dir)
}

func (n noun) runCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "run NAME", Short: "Run an example on the active stack, having copied it if it is not there",
		Example: "  proa example run quickstart",
		Args:    kit.Args(1, 1), ValidArgsFunction: complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := find(args[0])
			if err != nil {
				return err
			}
			if err := n.ready(cmd, e); err != nil {
				return err
			}
			dir := filepath.Join(n.absolute(to), e.Name)
			if _, err := os.Stat(filepath.Join(dir, script)); errors.Is(err, fs.ErrNotExist) {
				if dir, err = n.pull(e, to, false); err != nil {
					return err
				}
			}
			n.Statusf("+ python %s", filepath.Join(dir, script))
			return launch.Script(n.Kit, filepath.Join(dir, script))
		},
	}
	cmd.Flags().StringVarP(&to, "path", "p", folder, "the folder that it is copied into")
	_ = cmd.MarkFlagDirname("path")
	return cmd
}

func complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := all()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, e := range list {
		if !slices.Contains(args, e.Name) {
			names = append(names, e.Name+"\t"+e.About)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

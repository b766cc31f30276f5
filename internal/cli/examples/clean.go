package examples

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/proa-ml/proa/examples"
	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/spf13/cobra"
)

func (n noun) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "info NAME", Short: "Print what an example says of itself",
		Example: "  proa example info digits",
		Args:    kit.Args(1, 1), ValidArgsFunction: complete,
		RunE: func(_ *cobra.Command, args []string) error {
			e, err := find(args[0])
			if err != nil {
				return err
			}
			text, err := examples.Files.ReadFile(path.Join(e.Name, "README.md"))
			if err != nil {
				return fmt.Errorf("reading the example %s: %w", e.Name, err)
			}
			_, err = n.Out.Write(text)
			return err
		},
	}
}

func (n noun) cleanCommand() *cobra.Command {
	var from string
	var yes bool
	cmd := &cobra.Command{
		Use: "clean", Short: "Remove the copied examples from a folder, also those that were changed",
		Example: "  proa example clean\n  proa example clean --path ~/learn --yes",
		Args:    kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			copies, err := n.copies(from)
			if err != nil {
				return err
			}
			if len(copies) == 0 {
				n.Statusf("There is no example in %s.", from)
				return nil
			}
			if !yes {
				if err := n.Agree(cmd.Context(), fmt.Sprintf("Remove %s from %s?", inspect.Count(len(copies), "example"), from), "--yes"); err != nil {
					return err
				}
			}
			return n.remove(copies, from)
		},
	}
	cmd.Flags().StringVarP(&from, "path", "p", folder, "the folder that they were copied into")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	_ = cmd.MarkFlagDirname("path")
	return cmd
}

// copies lists the folders of examples in a folder.
func (n noun) copies(dir string) ([]string, error) {
	list, err := all()
	if err != nil {
		return nil, err
	}
	var copies []string
	for _, e := range list {
		own := filepath.Join(n.absolute(dir), e.Name)
		switch _, err := os.Stat(filepath.Join(own, script)); {
		case err == nil:
			copies = append(copies, own)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fault.New(fault.Configuration, "name another folder with --path", "looking for examples: %w", err)
		}
	}
	return copies, nil
}

// remove removes the folders of examples, and the one that they are in if nothing else is.
func (n noun) remove(copies []string, from string) error {
	for _, own := range copies {
		if err := os.RemoveAll(own); err != nil {
			return fault.New(fault.Configuration, "remove the folder yourself", "removing an example: %w", err)
		}
	}
	_ = os.Remove(n.absolute(from)) // it stays if something else is in it
	n.Statusf("Removed %s from %s.", inspect.Count(len(copies), "example"), from)
	return nil
}

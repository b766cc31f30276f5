// Package images is the command `proa image`.
package images

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/proa-ml/proa/image"
	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/launch"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("image", "Build, list, compare and remove the images of the active stack",
		n.buildCommand(), n.listCommand(), n.showCommand(), n.diffCommand(), n.sbomCommand(), n.pruneCommand())
}

// shelf is the repository of the active stack's images.
type shelf struct {
	driver.Library
	stack      string
	repository string
}

func (n noun) shelf(ctx context.Context) (shelf, error) {
	resolved, err := n.Stack()
	if err != nil {
		return shelf{}, err
	}
	if _, ok := resolved.Components[stack.ContainerRegistry]; !ok {
		return shelf{}, fault.New(fault.Usage, "`proa stack set NAME` chooses another stack", "the stack %q has no container registry, and so no images", resolved.Name)
	}
	builder, repository, err := n.Opener.Images(ctx, resolved)
	if err != nil {
		return shelf{}, err
	}
	library, err := image.Library(builder)
	return shelf{library, resolved.Name, repository}, told(err)
}

// listed is an image of the stack; its name is what other commands take.
type listed struct {
	driver.Tagged

	Name       string `json:"name"`
	Repository string `json:"repository"`
}

// all lists the images of all repositories.
func (s shelf) all(ctx context.Context) ([]listed, error) {
	repositories, err := s.Repositories(ctx, s.repository)
	if err != nil {
		return nil, err
	}
	out := []listed{}
	for _, repository := range repositories {
		tags, err := s.Tags(ctx, repository)
		if err != nil {
			return nil, err
		}
		for _, t := range tags {
			one := listed{t, t.Tag, repository}
			if repository != s.repository {
				one.Name = repository + ":" + t.Tag
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// ref is the reference that the user means by a pipeline's name, a tag, a digest or a whole reference.
func (s shelf) ref(text string) string {
	switch {
	case strings.HasPrefix(text, "sha256:"):
		return s.repository + "@" + text
	case strings.Contains(text, "/"):
		return text
	}
	return s.repository + ":" + image.Tag(text)
}

// told gives a builder's error its exit code.
func told(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, driver.ErrInvalid), errors.Is(err, driver.ErrNotFound):
		return fault.With(fault.Usage, "", err)
	}
	return fault.With(fault.Infrastructure, "`proa stack check` says which component can't be used", err)
}

func (n noun) buildCommand() *cobra.Command {
	var format output.Format
	var rebuild bool
	cmd := &cobra.Command{
		Example: "  proa image build train.py\n  proa image build --rebuild train.py",
		Use:     "build FILE [ARGUMENTS]", Short: "Build and push the images of a Python file's first pipeline, and run nothing", Args: kit.Args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return launch.Images(cmd.Context(), n.Kit, args, format, rebuild)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows FILE is the script's
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "resolve the requirements anew, and build images again that are there already")
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa image list\n  proa image list -o name",
		Use:     "list", Short: "List the images in the active stack's registry", Args: kit.Args(0, 0),
		Long: "List the images in the active stack's registry: by tag, and where target_repository names a repository of their own,\n" +
			"by their whole name. The archives of `code: store` are in the artifact store, not here.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := n.shelf(cmd.Context())
			if err != nil {
				return err
			}
			tags, err := s.all(cmd.Context())
			if err != nil {
				return told(err)
			}
			table := output.Table{Header: []string{"IMAGE", "DIGEST"}}
			for _, t := range tags {
				table.Rows = append(table.Rows, []string{t.Name, t.Digest})
			}
			if len(tags) == 0 {
				n.Statusf("No images in %s.", s.repository)
			}
			return output.Print(n.Streams, format, tags, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) showCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa image show digits_pipeline\n  proa image show sha256:1f0c -o yaml",
		Use:     "show IMAGE", Short: "Show an image: its layers with what is in each, and what it says of itself", Args: kit.Args(1, 1),
		Long: "Show an image: its layers with what is in each, and what it says of itself.\n\nIMAGE is a pipeline's name, a tag, a digest, or a whole reference.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := n.shelf(cmd.Context())
			if err != nil {
				return err
			}
			found, err := s.Inspect(cmd.Context(), s.ref(args[0]))
			if err != nil {
				return told(err)
			}
			if format.ForPeople() {
				if err := n.describe(found); err != nil {
					return err
				}
			}
			return output.Print(n.Streams, format, found, layerTable(found.Layers))
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// describe prints what there is to say of an image besides its layers.
func (n noun) describe(d driver.Detail) error {
	lines := [][2]string{
		{"image", d.Ref}, {"platform", d.Platform}, {"base", d.Base}, {"environment", d.Environment}, {"user", d.User},
		{"source", d.Labels["org.opencontainers.image.source"]}, {"revision", d.Labels["org.opencontainers.image.revision"]},
		{"built by", d.Labels["dev.proa.version"]},
	}
	for _, l := range lines {
		if l[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(n.Out, "%-12s %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(n.Out)
	return err
}

func layerTable(layers []driver.Layer) output.Table {
	table := output.Table{Header: []string{"LAYER", "SIZE", "WHAT", "CONTENTS"}}
	for _, l := range layers {
		table.Rows = append(table.Rows, []string{short(l.Digest), size(l.Size), l.What, strings.Join(l.Contents, ", ")})
	}
	return table
}

func short(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex[:min(12, len(hex))]
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

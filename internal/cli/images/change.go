package images

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/spf13/cobra"
)

// difference is something that two images have unlike.
type difference struct {
	What   string `json:"what"`
	First  string `json:"first"`
	Second string `json:"second"`
}

func (n noun) diffCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa image diff digits_pipeline sha256:1f0c",
		Use:     "diff IMAGE IMAGE", Short: "Show what differs between two images: packages, variables, code and the base", Args: kit.Args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := n.shelf(cmd.Context())
			if err != nil {
				return err
			}
			var both [2]driver.Detail
			for i, arg := range args {
				if both[i], err = s.Inspect(cmd.Context(), s.ref(arg)); err != nil {
					return told(err)
				}
			}
			found := differences(both[0], both[1])
			table := output.Table{Header: []string{"WHAT", args[0], args[1]}}
			for _, d := range found {
				table.Rows = append(table.Rows, []string{d.What, d.First, d.Second})
			}
			if len(found) == 0 {
				n.Statusf("The images are the same.")
			}
			return output.Print(n.Streams, format, found, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// differences compares what is in two images.
func differences(a, b driver.Detail) []difference {
	out := []difference{}
	first, second := facts(a), facts(b)
	for _, name := range slices.Sorted(maps.Keys(merge(first, second))) {
		if first[name] != second[name] {
			out = append(out, difference{name, first[name], second[name]})
		}
	}
	return out
}

func merge(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// facts are an image's parts by name.
func facts(d driver.Detail) map[string]string {
	out := map[string]string{"platform": d.Platform, "user": d.User, "base": d.Base + " " + short(d.Labels["org.opencontainers.image.base.digest"])}
	for _, v := range d.Variables {
		name, value, _ := strings.Cut(v, "=")
		out["variable "+name] = value
	}
	for name, value := range d.Labels {
		if !strings.HasPrefix(name, "org.opencontainers.image.base.") {
			out["label "+name] = value
		}
	}
	for _, l := range d.Layers {
		packages := l.Contents
		if name, _, ok := strings.Cut(l.What, "=="); ok && name != "" {
			packages = []string{l.What}
		}
		for _, p := range packages {
			name, version, ok := strings.Cut(p, "==")
			out["package "+name] = version
			if !ok {
				out["package "+name] = short(l.Digest)
			}
		}
		if len(packages) == 0 && l.What != "base" {
			out[l.What] = fmt.Sprintf("%s, %s", short(l.Digest), size(l.Size))
		}
	}
	return out
}

func (n noun) sbomCommand() *cobra.Command {
	return &cobra.Command{
		Example: "  proa image sbom digits_pipeline > bill.json",
		Use:     "sbom IMAGE", Short: "Print the bill of materials that is attached to an image, as CycloneDX JSON", Args: kit.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := n.shelf(cmd.Context())
			if err != nil {
				return err
			}
			data, err := s.BOM(cmd.Context(), s.ref(args[0]))
			if err != nil {
				return told(err)
			}
			_, err = fmt.Fprintln(n.Out, strings.TrimSpace(string(data)))
			return err
		},
	}
}

func (n noun) pruneCommand() *cobra.Command {
	var yes, dry, cache bool
	cmd := &cobra.Command{
		Example: "  proa image prune --dry-run\n  proa image prune --cache --yes",
		Use:     "prune", Short: "Remove environments that no image in the registry is built on any more", Args: kit.Args(0, 0),
		Long: "Remove environments that no image in the registry is built on any more, and with --cache also what this machine keeps\n" +
			"to build faster. Images under a tag stay, and so does what they need. The registry frees the space when it collects garbage.\n" +
			"Repositories that target_repository names are looked through, too. Archives of `code: store` are in the artifact store:\n" +
			"`proa artifact prune` removes them.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := n.shelf(cmd.Context())
			if err != nil {
				return err
			}
			unused, count, err := s.unused(cmd.Context())
			if err != nil {
				return told(err)
			}
			for _, u := range unused {
				for _, tag := range u.tags {
					n.Statusf("%s %s:%s", cmp.Or(map[bool]string{true: "would remove"}[dry], "unused:"), u.repository, tag)
				}
			}
			if dry {
				return nil
			}
			if count > 0 && !yes {
				if err := n.Agree(cmd.Context(), fmt.Sprintf("Remove %d environments?", count), "--yes"); err != nil {
					return err
				}
			}
			for _, u := range unused {
				if err := s.Remove(cmd.Context(), u.repository, u.tags); err != nil {
					return told(err)
				}
				n.Statusf("Removed %d environments from %s.", len(u.tags), u.repository)
			}
			return n.clear(s, cache)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be removed")
	cmd.Flags().BoolVar(&cache, "cache", false, "also empty the cache on this machine")
	return cmd
}

// leftover are the tags of a repository's environments that nothing is built on.
type leftover struct {
	repository string
	tags       []string
}

// unused looks through all repositories of the stack; count is how many tags that are.
func (s shelf) unused(ctx context.Context) (out []leftover, count int, err error) {
	repositories, err := s.Repositories(ctx, s.repository)
	if err != nil {
		return nil, 0, err
	}
	for _, repository := range repositories {
		tags, err := s.Unused(ctx, repository)
		if err != nil {
			return nil, 0, err
		}
		out, count = append(out, leftover{repository, tags}), count+len(tags)
	}
	return out, count, nil
}

func (n noun) clear(s shelf, cache bool) error {
	if !cache {
		return nil
	}
	freed, err := s.Clear()
	if err == nil {
		n.Statusf("Freed %s of this machine's cache.", size(freed))
	}
	return err
}

package images

import (
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

package artifacts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/spf13/cobra"
)

// lineageForms are the ways to print a lineage.
var lineageForms = []string{"tree", "json", "yaml", "mermaid", "dot"}

func (n noun) lineageCommand() *cobra.Command {
	var form string
	var limit int
	cmd := &cobra.Command{
		Use: "lineage DIGEST|RUN/STEP.OUTPUT", Short: "Show what an artifact is from, and what was made of it", Args: kit.Args(1, 1),
		Long: "Show what an artifact is from, and what was made of it, through all steps and runs. A step that took its result from\n" +
			"the cache is shown as the one that ran, with the runs that took it. The first digits of a digest are enough.",
		Example:           "  proa artifact lineage sha256:1f0c\n  proa artifact lineage RUN/trainer.model -o mermaid",
		ValidArgsFunction: kit.CompleteAsking(n.outputs),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !slices.Contains(lineageForms, form) {
				return fault.New(fault.Usage, "write -o tree, json, yaml, mermaid or dot", "%q is no way to print a lineage", form)
			}
			if limit < 1 {
				return fault.New(fault.Usage, "for example --runs 1000", "at least one run has to be looked at")
			}
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			l, err := inspect.ReadLineage(cmd.Context(), stores.Metadata, args[0], limit)
			if err != nil {
				return noLineage(err, args[0], stores.Stack.Name)
			}
			if l.Older {
				looked := fmt.Sprintf("latest %d runs were", limit)
				if limit == 1 {
					looked = "latest run was"
				}
				n.Statusf("Only the %s looked at; --runs says how many.", looked)
			}
			return n.printLineage(form, l)
		},
	}
	cmd.Flags().StringVarP(&form, "output", "o", "tree", "tree, json, yaml, mermaid or dot")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(lineageForms, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().IntVar(&limit, "runs", 500, "how many of the latest runs to look at")
	return cmd
}

func noLineage(err error, what, stackName string) error {
	switch {
	case errors.Is(err, artifact.ErrAmbiguous):
		return fault.New(fault.Usage, "give more digits", "%w", err)
	case errors.Is(err, driver.ErrNotFound):
		return fault.New(fault.Usage, "`proa artifact list` shows artifacts, `proa runs show RUN` the outputs of a run",
			"no run of the stack %q has made %q", stackName, what)
	}
	return err
}

func (n noun) printLineage(form string, l inspect.Lineage) error {
	text := ""
	switch form {
	case "json", "yaml":
		return output.Print(n.Streams, output.Format(form), l, output.Table{})
	case "mermaid":
		text = l.Mermaid()
	case "dot":
		text = l.DOT()
	default:
		text = l.Text()
	}
	_, err := fmt.Fprint(n.Out, text)
	return err
}

// outputs are the outputs of the latest runs, for completion.
func (n noun) outputs(ctx context.Context) (names []string, err error) {
	stores, err := n.OpenMetadata(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	runs, err := inspect.List(ctx, stores.Metadata, driver.Query{Limit: 3})
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		whole, err := inspect.Read(ctx, stores.Metadata, r.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range whole.Artifacts() {
			names = append(names, a.Run+"/"+a.Step+"."+a.Output)
		}
	}
	return names, nil
}

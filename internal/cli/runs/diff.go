package runs

import (
	"context"
	"errors"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/spf13/cobra"
)

func (n noun) diffCommand() *cobra.Command {
	var format output.Format
	var exitCode bool
	cmd := &cobra.Command{
		Example: "  proa runs diff\n  proa runs diff RUN\n  proa runs diff RUN OTHER -o json\n  proa runs diff RUN OTHER --exit-code",
		Use:     "diff [RUN] [OTHER]", Short: "Show in what two runs differ, and why", Args: kit.Args(0, 2),
		Long: "Show in what two runs differ: what each step is made of (code, parameters, inputs, environment, settings), and what came of\n" +
			"it (status, attempts, time, results). Where an input is another one, it is traced to what has changed first. What is equal is\n" +
			"not shown. With one run, it is compared with the one before it of its pipeline, and with none, the latest run is.\n\n" +
			"With --exit-code the exit code is 1 if the runs differ. How long they took, the numbers of attempts, the commit and the digests\n" +
			"of images that differ in nothing but their files don't count for that.",
		ValidArgsFunction: kit.CompleteAskingUpTo(2, n.latest),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			stores, err := n.OpenMetadata(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			a, b, err := pairOf(cmd.Context(), stores, args)
			if err != nil {
				return err
			}
			d, err := inspect.ReadDiff(cmd.Context(), stores.Metadata, a, b)
			if err != nil {
				return err
			}
			if err := n.printDiff(format, d); err != nil {
				return err
			}
			if exitCode && d.Differs() {
				return &fault.Error{Code: fault.StepFailed, Err: errors.New("the runs differ"), Told: true}
			}
			return nil
		},
	}
	output.AddFlag(cmd, &format)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 if the runs differ")
	return cmd
}

// pairOf finds the runs that somebody means: of one alone, the other is the run of its pipeline before it.
func pairOf(ctx context.Context, stores kit.Stores, args []string) (a, b string, err error) {
	m := stores.Metadata
	if len(args) == 0 {
		latest, err := m.Runs(ctx, driver.Query{Limit: 1})
		if err != nil {
			return "", "", err
		}
		if len(latest) == 0 {
			return "", "", fault.New(fault.Usage, "", "there are no runs in the metadata store of the stack %q", stores.Stack.Name)
		}
		args = []string{latest[0].Name}
	}
	for _, name := range args {
		r, err := m.Run(ctx, name)
		if err != nil {
			return "", "", kit.NoRun(err, name, stores.Stack.Name)
		}
		a, b = b, r.Name
		if len(args) == 2 {
			continue
		}
		before, err := m.Runs(ctx, driver.Query{Pipeline: r.Pipeline, Before: r.Name, Limit: 1})
		if err != nil {
			return "", "", err
		}
		if len(before) == 0 {
			return "", "", fault.New(fault.Usage, "name the run to compare it with: `proa runs diff RUN "+r.Name+"`",
				"%s is the first run of its pipeline that there is", r.Name)
		}
		a = before[0].Name
	}
	return a, b, nil
}

func (n noun) printDiff(format output.Format, d inspect.Diff) error {
	var names []string
	for _, e := range d.Environments {
		names = append(names, e.Steps...)
	}
	for _, s := range d.Steps {
		names = append(names, s.Name)
	}
	return output.Show(n.Streams, format, d, unrepeated(names), func(width int) string {
		return drawDiff(d, width, n.OutStyled)
	})
}

// unrepeated returns each name once, at its first place.
func unrepeated(names []string) []string {
	var once []string
	seen := map[string]bool{}
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	return once
}

package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/prune"
	"github.com/spf13/cobra"
)

// pruning is what `proa artifact prune` is asked for.
type pruning struct {
	options     prune.Options
	format      output.Format
	dryRun, yes bool
}

func (n noun) pruneCommand() *cobra.Command {
	var p pruning
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove what nothing refers to from the artifact store", Args: kit.Args(0, 0),
		Long: "Remove from the active stack's artifact store what no run, no cached result and no schedule refers to: files of\n" +
			"artifacts, archives of code, and what is left of runs that were deleted. First it says what that is; then it asks.\n" +
			"Without a terminal to ask on it removes nothing, unless --yes is given.\n\n" +
			"What is younger than --older-than stays. While a run goes on, what is younger than 24h stays in any case, since it may\n" +
			"belong to that run. A run is known once it is created, not while its images are built: where others work, don't go below\n" +
			"an hour. Interrupted, it has removed a part, and goes on the next time.\n\n" +
			"Cached results keep what they hold, also when their runs are deleted; --cached gives up those whose runs are.\n" +
			"A store that belongs to another metadata store, or was used with another one, is left alone.",
		Example: "  proa artifact prune\n  proa artifact prune --dry-run -o json\n  proa artifact prune --cached --older-than 168h --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.options.OlderThan < 0 {
				return fault.New(fault.Usage, "for example --older-than 24h", "an age can't be negative")
			}
			return n.prune(cmd.Context(), p)
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&p.options.OlderThan, "older-than", prune.Grace, "remove only what was written longer ago than this")
	flags.BoolVar(&p.options.Cached, "cached", false, "give up cached results of runs that were deleted, too")
	flags.BoolVar(&p.options.Disowned, "disowned", false, "give up what only metadata stores refer to that the artifact store was used with before, too")
	flags.BoolVar(&p.dryRun, "dry-run", false, "only say what would be removed")
	flags.BoolVarP(&p.yes, "yes", "y", false, "don't ask")
	output.AddFlag(cmd, &p.format)
	return cmd
}

func (n noun) prune(ctx context.Context, p pruning) (err error) {
	stores, err := n.OpenStores(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	p.options.Now = n.Now
	run := func(remove bool) (prune.Report, error) {
		p.options.Remove = remove
		r, err := prune.Prune(ctx, stores.Artifacts, stores.Metadata, p.options)
		return r, unknowable(err, stores.Stack.Name)
	}
	sure := p.yes && !p.dryRun
	r, err := run(sure)
	if err != nil || sure || p.dryRun || r.Unused().Objects+int64(r.Results) == 0 {
		if err != nil {
			return err
		}
		return n.printPruned(p.format, r)
	}
	if !n.InTerminal {
		n.Statusf("Nothing is removed yet; `proa artifact prune --yes` does it.")
		return n.printPruned(p.format, r)
	}
	for _, line := range removed(r) {
		n.Statusf("%s: %s", line[0], line[2])
	}
	if err := n.Agree(ctx, fmt.Sprintf("Remove these %s?", amount(r.Unused())), "--yes"); err != nil {
		return err
	}
	if r, err = run(true); err != nil {
		return err
	}
	return n.printPruned(p.format, r)
}

// unknowable gives the errors of stores that can't be pruned their hint.
func unknowable(err error, stackName string) error {
	var unknown *prune.UnknownError
	if !errors.As(err, &unknown) {
		return fault.With(fault.Infrastructure, "run it again: it goes on where it was", err)
	}
	hint := "give up what they refer to with --disowned"
	switch {
	case unknown.Foreign:
		hint = "prune it with a stack that has its own metadata store: `proa stack list`"
	case unknown.Free:
		hint = "the first run of a stack makes its stores belong together"
	}
	return fault.New(fault.Configuration, hint, "the artifact store of the stack %q can't be pruned: %w", stackName, err)
}

func (n noun) printPruned(format output.Format, r prune.Report) error {
	table := output.Table{Header: []string{"WHAT", "OBJECTS", "SIZE"}}
	table.Rows = append(removed(r), kept(r)...)
	if format.ForPeople() {
		if len(r.Active) > 0 {
			n.Statusf("While %s goes on, what is younger than %s stays.", strings.Join(r.Active, ", "), time.Duration(r.Grace*float64(time.Second)).Round(time.Second))
		}
		if r.Cached.Objects > 0 {
			n.Statusf("Cached results of deleted runs hold %s; `proa artifact prune --cached` gives them up.", amount(r.Cached))
		}
		verb := "Unused"
		if r.Removed {
			verb = "Removed"
		}
		n.Statusf("%s: %s.", verb, amount(r.Unused()))
	}
	return output.Print(n.Streams, format, r, table)
}

// removed lists what is, or would be, removed.
func removed(r prune.Report) [][]string {
	var rows [][]string
	for _, line := range []struct {
		what string
		prune.Amount
	}{
		{"files of artifacts", r.Artifacts}, {"archives of code", r.Code},
		{"objects of deleted runs", r.Runs}, {"half-written files", r.Partial},
	} {
		if line.Objects > 0 {
			rows = append(rows, row(line.what, line.Amount))
		}
	}
	if r.Results > 0 {
		rows = append(rows, []string{"cached results", fmt.Sprint(r.Results), ""})
	}
	return rows
}

// kept lists what stays.
func kept(r prune.Report) [][]string {
	rows := [][]string{row("stays: in use", r.Used)}
	if r.Young.Objects > 0 {
		rows = append(rows, row("stays: unused, but too young", r.Young))
	}
	if r.Unknown.Objects > 0 {
		rows = append(rows, row("stays: not made by proa", r.Unknown))
	}
	return rows
}

func row(what string, a prune.Amount) []string {
	return []string{what, fmt.Sprint(a.Objects), inspect.Size(a.Bytes)}
}

func amount(a prune.Amount) string {
	return inspect.Count(int(a.Objects), "object") + ", " + inspect.Size(a.Bytes)
}

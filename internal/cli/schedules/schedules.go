// Package schedules is the command `proa schedule`.
package schedules

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/spf13/cobra"
)

type noun struct{ *kit.Kit }

// New makes the command.
func New(k *kit.Kit) *cobra.Command {
	n := noun{k}
	return kit.Group("schedule", "Show, change, start and delete the schedules of the active stack's cluster",
		n.listCommand(), n.describeCommand(), n.pauseCommand(true), n.pauseCommand(false), n.updateCommand(), n.runCommand(), n.deleteCommand())
}

// open returns the scheduler of the stack in force.
func (n noun) open() (flavor.Scheduler, error) {
	resolved, err := n.StackToRead()
	if err != nil {
		return nil, err
	}
	place := n.Catalogue.Place(resolved)
	if n.Catalogue.Remote(place) {
		remote, err := n.Opener.Remote(place)
		if err != nil {
			return nil, err
		}
		if scheduler, ok := remote.(flavor.Scheduler); ok {
			return scheduler, nil
		}
	}
	return nil, fault.New(fault.Configuration, "choose a stack with a kubernetes orchestrator: `proa stack list`, `proa stack set NAME`",
		"the orchestrator of stack %q runs only as long as its runs do, so it keeps no schedules", resolved.Name)
}

func (n noun) listCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa schedule list",
		Use:     "list", Short: "List schedules", Args: kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			scheduler, err := n.open()
			if err != nil {
				return err
			}
			all, err := scheduler.Schedules(cmd.Context())
			if err != nil {
				return fault.With(fault.Infrastructure, "", err)
			}
			if len(all) == 0 {
				n.Statusf("No schedules. `proa run --schedule CRON FILE` makes one.")
			}
			table := output.Table{Header: []string{"SCHEDULE", "PIPELINE", "CRON", "STATE", "LAST RUN"}}
			for _, s := range all {
				table.Rows = append(table.Rows, []string{s.Name, s.Pipeline, cron(s), state(s, n.Now()), moment(s.Last)})
			}
			return output.Print(n.Streams, format, all, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func cron(s flavor.Scheduled) string { return strings.TrimSpace(s.CronExpression + " " + s.Timezone) }

// state is whether a schedule starts runs.
func state(s flavor.Scheduled, now time.Time) string {
	switch {
	case s.Paused:
		return "paused"
	case s.Due(now):
		return "active"
	case s.EndTime != "" && s.StartTime == "":
		return "ended"
	}
	start, err := time.Parse(time.RFC3339, s.StartTime)
	if err == nil && now.Before(start) {
		return "not begun"
	}
	return "ended"
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func (n noun) describeCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa schedule describe nightly",
		Use:     "describe NAME", Short: "Show a schedule", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := n.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			table := output.Table{Names: []string{s.Name}, Header: []string{"FIELD", "VALUE"}}
			for _, row := range [][]string{
				{"name", s.Name},
				{"pipeline", s.Pipeline},
				{"stack", s.Stack},
				{"cron_expression", s.CronExpression},
				{"timezone", s.Timezone},
				{"start_time", s.StartTime},
				{"end_time", s.EndTime},
				{"catchup", fmt.Sprint(s.Catchup)},
				{"concurrency", s.Concurrency},
				{"state", state(s, n.Now())},
				{"created", moment(s.Created)},
				{"last run", moment(s.Last)},
				{"running", strings.Join(s.Active, " ")},
			} {
				if row[1] != "" {
					table.Rows = append(table.Rows, row)
				}
			}
			return output.Print(n.Streams, format, s, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) find(ctx context.Context, name string) (flavor.Scheduled, error) {
	scheduler, err := n.open()
	if err != nil {
		return flavor.Scheduled{}, err
	}
	all, err := scheduler.Schedules(ctx)
	if err != nil {
		return flavor.Scheduled{}, fault.With(fault.Infrastructure, "", err)
	}
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return flavor.Scheduled{}, fault.New(fault.Usage, "`proa schedule list` shows them", "there is no schedule %q", name)
}

// names lists the schedules, for completion.
func (n noun) names(ctx context.Context) (names []string, err error) {
	scheduler, err := n.open()
	if err != nil {
		return nil, err
	}
	all, err := scheduler.Schedules(ctx)
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names, err
}

package schedules

import (
	"context"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/step"
	"github.com/spf13/cobra"
)

func (n noun) pauseCommand(pause bool) *cobra.Command {
	verb, short, done := "pause", "Start no more runs of a schedule until it is resumed", "is paused"
	if !pause {
		verb, short, done = "resume", "Start runs of a schedule again", "goes on"
	}
	return &cobra.Command{
		Example: "  proa schedule " + verb + " nightly",
		Use:     verb + " NAME", Short: short, Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := n.change(cmd.Context(), args[0], func(s *flavor.Scheduled) { s.Paused = pause }); err != nil {
				return err
			}
			n.Statusf("Schedule '%s' %s.", args[0], done)
			return nil
		},
	}
}

func (n noun) change(ctx context.Context, name string, change func(*flavor.Scheduled)) error {
	scheduler, err := n.open()
	if err != nil {
		return err
	}
	return scheduler.ChangeSchedule(ctx, name, change)
}

func (n noun) updateCommand() *cobra.Command {
	var cron, timezone, start, end, concurrency string
	var catchup bool
	cmd := &cobra.Command{
		Example: "  proa schedule update nightly --cron-expression '30 2 * * *' --timezone Europe/Berlin",
		Use:     "update NAME", Short: "Change when a schedule starts runs", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.names),
		Long: "Change when a schedule starts runs. What it runs is changed by `proa run --schedule` of the changed pipeline, under the same name.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := n.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			change := func(s *flavor.Scheduled) {
				for flag, to := range map[string]*string{
					"cron-expression": &s.CronExpression, "timezone": &s.Timezone, "start-time": &s.StartTime, "end-time": &s.EndTime, "concurrency": &s.Concurrency,
				} {
					if cmd.Flags().Changed(flag) {
						*to = cmd.Flags().Lookup(flag).Value.String()
					}
				}
				if cmd.Flags().Changed("catchup") {
					s.Catchup = catchup
				}
			}
			if cmd.Flags().NFlag() == 0 {
				return fault.New(fault.Usage, "for example --cron-expression '0 9 * * 1-5'", "nothing was said that should change")
			}
			if change(&s); s.Validate() != nil {
				return fault.With(fault.Usage, "", s.Validate())
			}
			if err := n.change(cmd.Context(), args[0], change); err != nil {
				return err
			}
			n.Statusf("Schedule '%s' changed.", args[0])
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cron, "cron-expression", "", "minute, hour, day of the month, month and day of the week")
	flags.StringVar(&timezone, "timezone", "", "where the hours of the expression are, such as Europe/Berlin")
	flags.StringVar(&start, "start-time", "", "no runs before this time, such as 2026-12-01T00:00:00Z; empty for no such bound")
	flags.StringVar(&end, "end-time", "", "no runs from this time on; empty for no such bound")
	flags.StringVar(&concurrency, "concurrency", "", "what happens while the run before goes on: forbid, allow or replace")
	flags.BoolVar(&catchup, "catchup", false, "start a run for what was missed")
	return cmd
}

func (n noun) runCommand() *cobra.Command {
	return &cobra.Command{
		Example: "  proa schedule run nightly",
		Use:     "run NAME", Short: "Start a run of a schedule now, and print its id", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			scheduler, err := n.open()
			if err != nil {
				return err
			}
			id, err := scheduler.TriggerSchedule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			n.Statusf("A run of schedule '%s' starts in the cluster: `proa runs show %s`, `proa logs -f %[2]s`.", args[0], id)
			_, err = fmt.Fprintln(n.Out, id)
			return err
		},
	}
}

func (n noun) deleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Example: "  proa schedule delete nightly --yes",
		Use:     "delete NAME", Short: "Delete a schedule, and stop its runs that go on", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.names),
		Long: "Delete a schedule, and what it has in the cluster. Its runs stay in the metadata store.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := n.Agree(cmd.Context(), fmt.Sprintf("Delete the schedule '%s'?", args[0]), "--yes"); err != nil {
					return err
				}
			}
			scheduler, err := n.open()
			if err != nil {
				return err
			}
			if err := scheduler.DeleteSchedule(cmd.Context(), args[0]); err != nil {
				return err
			}
			if err := n.release(cmd.Context(), args[0]); err != nil {
				n.Warn("what the schedule needed stays in the artifact store: " + err.Error())
			}
			n.Statusf("Deleted schedule '%s'.", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

// release has the artifact store forget what the runs of a schedule needed.
func (n noun) release(ctx context.Context, name string) (err error) {
	stores, err := n.OpenArtifacts(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	place := n.Catalogue.Place(stores.Stack)
	keys, err := stores.Artifacts.List(ctx, step.SchedulePrefix(place.Context, place.Namespace, name))
	for _, key := range keys {
		err = errors.Join(err, stores.Artifacts.Delete(ctx, key))
	}
	return err
}

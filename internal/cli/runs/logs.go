package runs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/spf13/cobra"
)

// NewLogs makes `proa logs`, which is `proa runs logs`.
func NewLogs(k *kit.Kit) *cobra.Command { return noun{k}.logsCommand("proa logs") }

// logOptions say what of which logs is shown.
type logOptions struct {
	follow, timestamps, coordinator bool
	since                           string
	attempt                         int
}

func (n noun) logsCommand(name string) *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Example: "  " + name + " RUN\n  " + name + " RUN trainer --since 10m --timestamps\n  " + name + " RUN -f\n  " + name + " RUN trainer --attempt 1\n  " + name + " RUN --coordinator",
		Use:     "logs RUN [STEP]",
		Short:   "Print what a step wrote, or what all steps did, each line with its step's name",
		Long: "Print what a step wrote, byte by byte; or, without a step, what all steps wrote, one after the other, each line " +
			"with its step's name before it.\nWhile a step runs, its log is what it wrote until a few seconds ago; --follow goes on " +
			"until the run has ended.\nLogs are kept in the artifact store, so they are there when the pods are gone.",
		Args: kit.Args(1, 2), ValidArgsFunction: kit.CompleteAsking(n.latest),
		RunE: func(cmd *cobra.Command, args []string) error {
			stepName := ""
			if len(args) == 2 {
				stepName = args[1]
			}
			return n.logs(cmd.Context(), args[0], stepName, o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on until the run has ended")
	flags.BoolVarP(&o.timestamps, "timestamps", "t", false, "put the time at which a line was written before it")
	flags.StringVar(&o.since, "since", "", "only lines that are younger: a duration such as 10m, or a time such as 2026-11-24T08:00:00Z")
	flags.IntVar(&o.attempt, "attempt", 0, "the number of the step's attempt; the latest if not given")
	flags.BoolVar(&o.coordinator, "coordinator", false, "print what the run's coordinator did and saw instead")
	return cmd
}

func (n noun) logs(ctx context.Context, name, stepName string, o logOptions) (err error) {
	after, err := sinceWhen(o.since, n.Now())
	switch {
	case err != nil:
		return err
	case o.attempt != 0 && stepName == "":
		return fault.New(fault.Usage, "proa logs RUN STEP --attempt N", "an attempt is one of a step; the step is missing")
	case o.coordinator && stepName != "":
		return fault.New(fault.Usage, "leave the step out", "the coordinator's log is that of the whole run")
	}
	stores, err := n.OpenStores(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	r, err := inspect.Read(ctx, stores.Metadata, name)
	if err != nil {
		return kit.NoRun(err, name, stores.Stack.Name)
	}
	if stepName != "" {
		if err := known(r, stepName, o.attempt); err != nil {
			return err
		}
	}
	show := &logShow{noun: n, stores: stores, options: o, after: after, only: stepName, cursors: map[string]*cursor{}}
	if o.coordinator {
		return show.coordinator(ctx, r)
	}
	return show.run(ctx, r)
}

// known checks that a run has a step, and the step an attempt.
func known(r inspect.Run, stepName string, attempt int) error {
	for _, s := range r.Steps {
		if s.Name != stepName {
			continue
		}
		if attempt < 0 || attempt > s.Attempt {
			return fault.New(fault.Usage, "`proa runs show "+r.Name+"` shows how many there were", "the step %q has %s, no attempt %d", stepName, inspect.Count(s.Attempt, "attempt"), attempt)
		}
		return nil
	}
	return fault.New(fault.Usage, "`proa runs show "+r.Name+"` lists its steps", "the run %s has no step %q", r.Name, stepName)
}

// sinceWhen reads a duration before now, or a time.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if _, err := strconv.Atoi(text); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, fault.New(fault.Usage, "for example --since 10m", "%q is neither a duration nor a time", text)
	}
	return now.Add(-d), nil
}

// coordinator prints the run's events.
func (s *logShow) coordinator(ctx context.Context, r inspect.Run) error {
	for last := int64(0); ; {
		events, err := s.stores.Metadata.Events(ctx, r.ID, last)
		if err != nil {
			return fmt.Errorf("reading what the coordinator did: %w", err)
		}
		for _, e := range events {
			last = e.Seq
			if e.Time.Before(s.after) {
				continue
			}
			if err := s.event(e); err != nil {
				return err
			}
		}
		if over, err := s.over(ctx, r.ID); over && len(events) == 0 || err != nil || !s.options.follow {
			return err
		}
		if err := pause.For(ctx, logPoll); err != nil {
			return err
		}
	}
}

func (s *logShow) event(e driver.Event) error {
	_, err := fmt.Fprintf(s.Out, "%s %s %s\n", e.Time.Format(stampFormat), e.Kind, e.Data)
	return err
}
